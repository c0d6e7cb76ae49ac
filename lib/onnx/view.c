/* Views (import.h), and the operators that change nothing else.
 *   in   a Reshape, Transpose, Squeeze, Flatten ... node
 *   out  its input's layer under another view: no value moves */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void view_natural(struct view *v, struct shape s)
{
    const long size[] = {s.c, s.h, s.w};
    for (int a = 0; a < 3; a++) {
        v->size[a] = size[a];
        v->order[a] = a;
    }
}

/* [N][C][H][W] */
struct view view_nchw(const struct import *m, struct shape s)
{
    struct view v = {.dims = {4, {m->batch, s.c, s.h, s.w}}, .at = {1, 2, 3}};
    view_natural(&v, s);
    return v;
}

/* [N][C*H*W] */
struct view view_flat(const struct import *m, struct shape s)
{
    struct view v = {.dims = {2, {m->batch, shape_values(s)}}, .at = {1, 1, 1}};
    view_natural(&v, s);
    return v;
}

static bool is_nchw(const struct view *v)
{
    if (v->dims.rank != 4 || v->batch != 0)
        return false;
    for (int a = 0; a < 3; a++)
        if (v->size[a] > 1 && v->at[a] != a + 1)
            return false;
    return true;
}

bool view_is_linear(const struct view *v)
{
    int last = -1;
    for (int i = 0; i < 3; i++) {
        if (v->size[v->order[i]] == 1)
            continue;
        if (v->order[i] < last)
            return false;
        last = v->order[i];
    }
    return v->batch <= 0;
}

int view_strides(struct import *m, const struct view *v, const struct dims *like, long *stride)
{
    long step[ONNX_MAX_RANK], all = 1;
    int shift = v->dims.rank - like->rank;
    if (shift < 0)
        return call_fail(&m->call, "a constant of higher rank");
    memset(stride, 0, 3 * sizeof *stride);
    for (int d = like->rank - 1; d >= 0; d--) {
        step[d] = all;
        all *= like->dim[d];
        if (like->dim[d] == 1)
            step[d] = 0;
        else if (like->dim[d] != v->dims.dim[d + shift] || d + shift == v->batch)
            return call_fail(&m->call, "a constant of %ld entries along dimension %d of %ld",
                             like->dim[d], d + shift, v->dims.dim[d + shift]);
    }
    long inner[ONNX_MAX_RANK];
    for (int d = 0; d < ONNX_MAX_RANK; d++)
        inner[d] = 1;
    for (int i = 2; i >= 0; i--) {
        int a = v->order[i], d = v->at[a];
        if (v->size[a] == 1)
            continue;
        if (d >= shift)
            stride[a] = step[d - shift] * inner[d];
        inner[d] *= v->size[a];
    }
    return 0;
}

void view_sort(struct view *v)
{
    for (int i = 1; i < 3; i++)
        for (int j = i; j > 0 && v->at[v->order[j]] < v->at[v->order[j - 1]]; j--) {
            int a = v->order[j];
            v->order[j] = v->order[j - 1];
            v->order[j - 1] = a;
        }
}

bool view_place(struct view *v, int first)
{
    int next = 0;
    for (int d = first; d < v->dims.rank; d++) {
        long size = 1;
        while (size < v->dims.dim[d] && next < 3) {
            int a = v->order[next++];
            if (v->size[a] > 1)
                v->at[a] = d;
            size *= v->size[a];
        }
        if (size != v->dims.dim[d])
            return false;
    }
    for (int a = 0; a < 3; a++)
        if (v->size[a] == 1)
            v->at[a] = v->dims.rank == 4 ? a + 1 : -1;
    return true;
}

/* Give the image a new shape where a reshape splits an axis: its sides become dims[first..]. */
static bool new_axes(struct view *v, int first)
{
    long side[3] = {1, 1, 1};
    int sides = 0, rank = v->dims.rank - first;
    if (!view_is_linear(v))
        return false;
    for (int d = first; d < v->dims.rank; d++)
        if (rank == 3 || v->dims.dim[d] > 1) {
            if (sides == 3)
                return false;
            side[sides++] = v->dims.dim[d];
        }
    struct shape s = sides == 2 ? (struct shape){1, (int)side[0], (int)side[1]}
                                : (struct shape){(int)side[0], (int)side[1], (int)side[2]};
    view_natural(v, s);
    return view_place(v, first);
}

/* View the same elements in the same order under other dims. No dimension may mix images. */
static int view_reshape(struct import *m, struct view *v, const struct dims *dims)
{
    long count = 1;
    bool batched = dims->rank > 0 && dims->dim[0] == m->batch;
    if (v->batch > 0 || (!batched && !m->one_image))
        return call_fail(&m->call, "a shape that mixes images");
    v->dims = *dims;
    v->batch = batched ? 0 : -1;
    for (int d = batched; d < dims->rank; d++) {
        if (dims->dim[d] < 1 || dims->dim[d] > NET_MAX_TENSOR)
            return call_fail(&m->call, "a side of %ld", dims->dim[d]);
        count *= dims->dim[d];
        if (count > NET_MAX_TENSOR)
            return call_fail(&m->call, "a shape too large");
    }
    if (count != v->size[0] * v->size[1] * v->size[2])
        return call_fail(&m->call, "a shape that mixes images");
    struct view old = *v;
    if (view_place(v, batched))
        return 0;
    *v = old;
    if (count > NET_MAX_DIM || !new_axes(v, batched))
        return call_fail(&m->call, "a reshape that splits channels, rows or columns is not run");
    return 0;
}

int add_reshape(struct import *m, int from, struct shape to)
{
    struct shape s = from < 0 ? to : import_shape(m, from);
    if (s.c == to.c && s.h == to.h && s.w == to.w)
        return from;
    struct layer *l = import_new_layer(m, OP_RESHAPE, from);
    if (!l)
        return -1;
    l->out = to;
    return import_finish(m);
}

int view_spatial(struct import *m, const struct value *x)
{
    return view_reshaped(m, x, &x->view);
}

bool view_by_dims(const struct import *m, const struct view *v, struct view *out)
{
    const long *d = v->dims.dim;
    int rank = v->dims.rank;
    if (rank < 2 || rank > 4 || v->batch != 0 || !view_is_linear(v))
        return false;
    for (int i = 1; i < rank; i++)
        if (d[i] > NET_MAX_DIM)
            return false;
    struct shape s = {(int)d[1], rank > 2 ? (int)d[2] : 1, rank > 3 ? (int)d[3] : 1};
    *out = view_nchw(m, s);
    out->dims = v->dims;
    for (int a = rank - 1; a < 3; a++)
        out->at[a] = -1;
    return true;
}

int view_reshaped(struct import *m, const struct value *x, const struct view *view)
{
    return add_reshape(m, x->layer, (struct shape){(int)view->size[0], (int)view->size[1], (int)view->size[2]});
}

int view_pictures(struct import *m, const struct value *x)
{
    if (!x)
        return -1;
    struct view view;
    if (is_nchw(&x->view))
        return view_spatial(m, x);
    if (x->view.dims.rank != 4 || !view_by_dims(m, &x->view, &view))
        return call_fail(&m->call, "only pictures of one form, [N][C][H][W], are run (rank %d)",
                         x->view.dims.rank);
    return view_reshaped(m, x, &view);
}

/* ---- Operators ---- */

int do_identity(struct import *m)
{
    const struct value *x = import_any(m, 0);
    return x ? import_same(m, x, &x->view) : -1;
}

int do_dropout(struct import *m)
{
    if (operand_number(&m->call, 2, 0) != 0)
        return call_fail(&m->call, "dropout for training");
    return do_identity(m);
}

int do_cast(struct import *m)
{
    const struct value *x = import_any(m, 0);
    int to = (int)attr_int(&m->call, "to", 0);
    if (!x)
        return -1;
    if (!type_is_float(to) && !x->integer)
        return call_fail(&m->call, "a cast to whole numbers is not run");
    if (import_same(m, x, &x->view))
        return -1;
    if (type_is_float(to))
        import_find(m, m->call.node->output[0])->integer = false;
    return 0;
}

int do_view(struct import *m)
{
    const struct value *x = import_any(m, 0);
    struct dims dims = {0};
    if (!x || m->call.operator->rule(&m->call, &x->view.dims, &dims))
        return -1;
    struct view view = x->view;
    return view_reshape(m, &view, &dims) ? -1 : import_same(m, x, &view);
}

/* Flatten stays a layer where the order is C H W, so that a net that was saved here is loaded as it was. */
int do_flatten(struct import *m)
{
    const struct value *x = import_any(m, 0);
    if (!x || do_view(m))
        return -1;
    if (!view_is_linear(&x->view) || x->integer || x->quantized ||
        x->view.size[0] * x->view.size[1] * x->view.size[2] > NET_MAX_DIM)
        return 0;
    struct value *y = import_find(m, m->call.node->output[0]);
    y->layer = import_add(m, OP_FLATTEN, x->layer);
    return y->layer < 0 ? -1 : 0;
}

int do_transpose(struct import *m)
{
    const struct value *x = import_any(m, 0);
    int perm[ONNX_MAX_RANK];
    if (!x || dims_perm(&m->call, x->view.dims.rank, perm))
        return -1;
    const struct view *from = &x->view;
    struct view view = *from;
    int next = 0;
    bool placed[3] = {false};
    for (int d = 0; d < view.dims.rank; d++) {
        view.dims.dim[d] = from->dims.dim[perm[d]];
        if (perm[d] == from->batch)
            view.batch = d;
        for (int i = 0; i < 3; i++) {
            int a = from->order[i];
            if (from->at[a] != perm[d])
                continue;
            view.order[next++] = a;
            view.at[a] = d;
            placed[a] = true;
        }
    }
    for (int a = 0; a < 3; a++) /* axes of size 1 that no dimension has */
        if (!placed[a])
            view.order[next++] = a;
    return import_same(m, x, &view);
}

/* Shape: constant, since N is taken from the file or as 1. */
int do_shape(struct import *m)
{
    const struct value *x = import_any(m, 0);
    if (!x)
        return -1;
    int start, end;
    dims_range(&m->call, x->view.dims.rank, &start, &end);
    struct dims dims = {1, {end - start}};
    struct value *y = import_find(m, m->call.node->output[0]);
    if (tensor_new(&m->call, &y->tensor, TYPE(INT64), &dims))
        return -1;
    y->kind = CONSTANT;
    for (long i = 0; i < dims.dim[0]; i++)
        y->tensor.data[i] = (double)x->view.dims.dim[start + i];
    return 0;
}

/* Expand: sides of 1 are repeated. */
int do_expand(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    struct dims shape = {0}, dims;
    shape.rank = operand_ints(&m->call, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (!x || m->call.failed || dims_common(&m->call, &x->view.dims, &shape, &dims))
        return -1;
    struct view view = x->view;
    for (int d = 0; d < dims.rank; d++) {
        if (dims.rank == view.dims.rank && dims.dim[d] == view.dims.dim[d])
            continue;
        int a = 0;
        while (a < 3 && (view.size[a] != 1 || view.at[a] != d))
            a++;
        if (dims.rank != view.dims.rank || a == 3 || d == view.batch || dims.dim[d] > NET_MAX_DIM)
            return call_fail(&m->call, "only channels, rows and columns of 1 are repeated");
        view.size[a] = dims.dim[d];
    }
    view.dims = dims;
    view_sort(&view);
    struct shape to = {(int)view.size[0], (int)view.size[1], (int)view.size[2]};
    return import_result(m, add_copies(m, view_spatial(m, x), to), &view);
}

/* ---- Channels cut and joined ---- */

int view_channels(struct import *m, const struct value *x, int d, struct view *view)
{
    const struct view *v = &x->view;
    *view = *v;
    if (v->dims.dim[d] == v->size[AXIS_C] && (v->at[AXIS_C] == d || v->size[AXIS_C] == 1)) {
        view->at[AXIS_C] = d;
        view_sort(view);
        return view_spatial(m, x);
    }
    if (d != 1 || !view_by_dims(m, v, view))
        return call_fail(&m->call, "only channels are joined or cut");
    return view_reshaped(m, x, view);
}

int do_concat(struct import *m)
{
    struct view view = {0}, other;
    int d = 0, joined = -1;
    for (size_t i = 0; i < m->call.node->n_input; i++) {
        const struct value *x = import_runtime(m, i);
        if (!x || (i == 0 && call_axis(&m->call, attr_int(&m->call, "axis", 1), x->view.dims.rank, &d)))
            return -1;
        for (int k = 0; k < view.dims.rank; k++)
            if (view.dims.rank != x->view.dims.rank || view.batch != x->view.batch ||
                (k != d && view.dims.dim[k] != x->view.dims.dim[k]))
                return call_fail(&m->call, "shapes that do not fit");
        if (d == x->view.batch)
            return call_fail(&m->call, "only channels are joined or cut");
        int layer = view_channels(m, x, d, i ? &other : &view);
        joined = i == 0 || layer < 0 ? layer : add_pair(m, OP_CONCAT, joined, layer);
        if (joined < 0)
            return -1;
        if (i) {
            view.size[AXIS_C] += other.size[AXIS_C];
            view.dims.dim[d] += other.dims.dim[d];
        }
    }
    return import_result(m, joined, &view);
}

/* Make output i `count` of the channels of a layer, which are dimension d of its view, from `first` on. */
static int cut(struct import *m, size_t i, int from, struct view view, int d, long first, long count)
{
    long all = view.size[AXIS_C];
    if (first < 0 || count < 1 || first > all - count)
        return call_fail(&m->call, "%ld channels from %ld on of %ld", count, first, all);
    view.size[AXIS_C] = view.dims.dim[d] = count;
    if (count == all)
        return import_output(m, i, from, &view);
    struct layer *l = import_new_layer(m, OP_SLICE, from);
    if (!l)
        return -1;
    l->first = (int)first;
    l->out.c = (int)count;
    return import_output(m, i, import_finish(m), &view);
}

int do_split(struct import *m)
{
    struct call *c = &m->call;
    const struct value *x = import_runtime(m, 0);
    long sizes[64], first = 0, outputs = (long)c->node->n_output;
    struct view view;
    int d;
    if (!x || call_axis(c, attr_int(c, "axis", 0), x->view.dims.rank, &d))
        return -1;
    int given = operand_ints(c, 1, "split", 64, sizes);
    if (d == x->view.batch || outputs > 64 || (given >= 0 && given != outputs))
        return call_fail(c, "only channels are cut, into at most 64 parts");
    int from = view_channels(m, x, d, &view);
    long all = view.size[AXIS_C], each = (all + outputs - 1) / outputs;
    for (long i = 0; i < outputs; i++) {
        long count = given >= 0 ? sizes[i] : i < outputs - 1 ? each : all - first;
        if (from < 0 || cut(m, (size_t)i, from, view, d, first, count))
            return -1;
        first += count;
    }
    return 0;
}

int do_slice(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    struct slice s;
    struct view view;
    int cuts = 0, d = 0;
    if (!x || dims_slice(&m->call, &x->view.dims, &s))
        return -1;
    for (int i = 0; i < s.dims.rank; i++)
        if (s.dims.dim[i] != x->view.dims.dim[i] || s.by[i] != 1) {
            cuts++;
            d = i;
        }
    if (!cuts)
        return do_identity(m);
    if (cuts > 1 || s.by[d] != 1 || d == x->view.batch)
        return call_fail(&m->call, "only channels are joined or cut");
    int from = view_channels(m, x, d, &view);
    return from < 0 ? -1 : cut(m, 0, from, view, d, s.from[d], s.dims.dim[d]);
}

/* ---- Names of classes ---- */

static const Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && !strcmp(node->attribute[i]->name, name))
            return node->attribute[i];
    return NULL;
}

/* Labels are separated by spaces: a space in a name becomes a line below. */
int import_labels(struct import *m, const char *strings, const char *ints)
{
    const Onnx__AttributeProto *s = find_attribute(m->call.node, strings);
    const Onnx__AttributeProto *n = find_attribute(m->call.node, ints);
    size_t size = 1, used = 0;
    for (size_t i = 0; s && i < s->n_strings; i++)
        size += s->strings[i].len + 1;
    size += n ? n->n_ints * 24 : 0;
    char *text = calloc(size, 1);
    if (!text)
        return call_fail(&m->call, "out of memory");
    for (size_t i = 0; s && i < s->n_strings; i++) {
        text[used] = ' ';
        used += used > 0;
        for (size_t j = 0; j < s->strings[i].len; j++, used++)
            text[used] = s->strings[i].data[j] == ' ' ? '_' : (char)s->strings[i].data[j];
    }
    for (size_t i = 0; size > 1 && !(s && s->n_strings) && n && i < n->n_ints; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? " " : "", (long long)n->ints[i]);
    int status = used ? net_set_meta(m->net, "labels", text, m->call.e) : 0;
    free(text);
    return status ? call_fail(&m->call, "out of memory") : 0;
}

/* ZipMap, a map from class to probability: its classes become the labels. */
int do_zipmap(struct import *m)
{
    return import_labels(m, "classlabels_strings", "classlabels_int64s") ? -1 : do_identity(m);
}
