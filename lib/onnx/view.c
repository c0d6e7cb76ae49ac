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
    struct view v = {.dims = {2, {m->batch, (long)s.c * s.h * s.w}}, .at = {1, 1, 1}};
    view_natural(&v, s);
    return v;
}

long view_count(const struct view *v)
{
    return v->size[0] * v->size[1] * v->size[2];
}

struct shape view_shape(const struct view *v)
{
    return (struct shape){(int)v->size[0], (int)v->size[1], (int)v->size[2]};
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
        return node_fail(m, "a constant of higher rank");
    memset(stride, 0, 3 * sizeof *stride);
    for (int d = like->rank - 1; d >= 0; d--) {
        step[d] = all;
        all *= like->dim[d];
        if (like->dim[d] == 1)
            step[d] = 0;
        else if (like->dim[d] != v->dims.dim[d + shift] || d + shift == v->batch)
            return node_fail(m, "a constant of %ld entries along dimension %d of %ld",
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
        return node_fail(m, "a shape that mixes images");
    v->dims = *dims;
    v->batch = batched ? 0 : -1;
    for (int d = batched; d < dims->rank; d++) {
        if (dims->dim[d] < 1 || dims->dim[d] > NET_MAX_TENSOR)
            return node_fail(m, "a side of %ld", dims->dim[d]);
        count *= dims->dim[d];
        if (count > NET_MAX_TENSOR)
            return node_fail(m, "a shape too large");
    }
    if (count != view_count(v))
        return node_fail(m, "a shape that mixes images");
    struct view old = *v;
    if (view_place(v, batched))
        return 0;
    *v = old;
    if (count > NET_MAX_DIM || !new_axes(v, batched))
        return node_fail(m, "a reshape that splits channels, rows or columns is not run");
    return 0;
}

int add_reshape(struct import *m, int from, struct shape to)
{
    struct shape s = import_shape(m, from);
    if (from < 0 || (s.c == to.c && s.h == to.h && s.w == to.w))
        return from;
    struct layer *l = import_new_layer(m, OP_RESHAPE, from);
    if (!l)
        return -1;
    l->out = to;
    return import_finish(m);
}

int view_spatial(struct import *m, const struct value *y)
{
    return add_reshape(m, y->layer, view_shape(&y->view));
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
    struct dims dims = v->dims;
    *out = view_nchw(m, s);
    out->dims = dims;
    for (int a = rank - 1; a < 3; a++)
        out->at[a] = -1;
    return true;
}

int view_pictures(struct import *m, struct value *y)
{
    if (!is_nchw(&y->view) && (y->view.dims.rank != 4 || !view_by_dims(m, &y->view, &y->view)))
        return node_fail(m, "only pictures of one form, [N][C][H][W], are run (rank %d)", y->view.dims.rank);
    return view_spatial(m, y);
}

/* ---- Operators ---- */

int do_identity(struct import *m, struct value *y)
{
    (void)m;
    return y->layer;
}

int do_dropout(struct import *m, struct value *y)
{
    return operand_number(m, 2, 0) != 0 ? node_fail(m, "dropout for training") : y->layer;
}

int do_cast(struct import *m, struct value *y)
{
    bool to_float = type_is_float((int)attr_int(m, "to", 0));
    if (!to_float && !y->integer)
        return node_fail(m, "a cast to whole numbers is not run");
    y->integer = !to_float;
    return y->layer;
}

int do_view(struct import *m, struct value *y)
{
    struct dims dims = {0};
    return m->operator->rule(m, &y->view.dims, &dims) || view_reshape(m, &y->view, &dims) ? -1 : y->layer;
}

/* Flatten stays a layer where the order is C H W, so that a net that was saved here is loaded as it was. */
int do_flatten(struct import *m, struct value *y)
{
    bool layer = view_is_linear(&y->view) && !y->integer && !y->quantized && view_count(&y->view) <= NET_MAX_DIM;
    int from = do_view(m, y);
    return layer ? import_add(m, OP_FLATTEN, from) : from;
}

int do_transpose(struct import *m, struct value *y)
{
    int perm[ONNX_MAX_RANK], to[ONNX_MAX_RANK];
    const struct view from = y->view;
    struct view *v = &y->view;
    if (dims_perm(m, from.dims.rank, perm))
        return -1;
    for (int d = 0; d < from.dims.rank; d++) {
        v->dims.dim[d] = from.dims.dim[perm[d]];
        to[perm[d]] = d;
    }
    v->batch = from.batch < 0 ? -1 : to[from.batch];
    for (int a = 0; a < 3; a++) /* axes of size 1 that no dimension has come last */
        v->at[a] = from.at[a] < 0 ? ONNX_MAX_RANK : to[from.at[a]];
    view_sort(v);
    for (int a = 0; a < 3; a++)
        v->at[a] = v->at[a] == ONNX_MAX_RANK ? -1 : v->at[a];
    return y->layer;
}

/* Shape: constant, since N is taken from the file or as 1. */
int do_shape(struct import *m, struct value *y)
{
    y->kind = CONSTANT;
    return dims_tensor(m, &y->view.dims, &y->tensor) ? -1 : y->layer;
}

/* Expand: sides of 1 are repeated. */
int do_expand(struct import *m, struct value *y)
{
    struct view *v = &y->view;
    struct dims shape = {0}, dims;
    shape.rank = operand_ints(m, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (m->failed || dims_common(m, &v->dims, &shape, &dims))
        return -1;
    int from = view_spatial(m, y);
    for (int d = 0; d < dims.rank; d++) {
        if (dims.rank == v->dims.rank && dims.dim[d] == v->dims.dim[d])
            continue;
        int a = 0;
        while (a < 3 && (v->size[a] != 1 || v->at[a] != d))
            a++;
        if (dims.rank != v->dims.rank || a == 3 || d == v->batch || dims.dim[d] > NET_MAX_DIM)
            return node_fail(m, "only channels, rows and columns of 1 are repeated");
        v->size[a] = dims.dim[d];
    }
    v->dims = dims;
    view_sort(v);
    return add_copies(m, from, view_shape(v));
}

/* ---- Channels cut and joined ---- */

int view_channels(struct import *m, struct value *y, int d)
{
    struct view *v = &y->view;
    if (v->dims.dim[d] == v->size[AXIS_C] && (v->at[AXIS_C] == d || v->size[AXIS_C] == 1)) {
        v->at[AXIS_C] = d;
        view_sort(v);
    } else if (d != 1 || !view_by_dims(m, v, v)) {
        return node_fail(m, "only channels are joined or cut");
    }
    return view_spatial(m, y);
}

int do_concat(struct import *m, struct value *y)
{
    int d, joined = -1;
    const struct dims first = y->view.dims;
    if (node_axis(m, attr_int(m, "axis", 1), first.rank, &d))
        return -1;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const struct value *x = import_floats(m, i);
        if (!x)
            return -1;
        struct value next = *x;
        for (int k = 0; k < first.rank; k++)
            if (first.rank != x->view.dims.rank || y->view.batch != x->view.batch ||
                (k != d && first.dim[k] != x->view.dims.dim[k]))
                return node_fail(m, "shapes that do not fit");
        if (d == x->view.batch)
            return node_fail(m, "only channels are joined or cut");
        int layer = view_channels(m, &next, d);
        joined = i == 0 ? layer : add_pair(m, OP_CONCAT, joined, layer);
        if (i == 0) {
            y->view = next.view;
        } else {
            y->view.size[AXIS_C] += next.view.size[AXIS_C];
            y->view.dims.dim[d] += next.view.dims.dim[d];
        }
    }
    return joined;
}

/* Append `count` of y's channels, which are dimension d, from `first` on. */
static int cut(struct import *m, struct value *y, int d, long first, long count)
{
    long all = y->view.size[AXIS_C];
    if (first < 0 || count < 1 || first > all - count)
        return node_fail(m, "%ld channels from %ld on of %ld", count, first, all);
    y->view.size[AXIS_C] = y->view.dims.dim[d] = count;
    struct layer *l = count == all ? NULL : import_new_layer(m, OP_SLICE, y->layer);
    if (!l)
        return y->layer;
    l->first = (int)first;
    l->out.c = (int)count;
    return import_finish(m);
}

/* The parts but the first are outputs here. */
int do_split(struct import *m, struct value *y)
{
    long sizes[64], first = 0, outputs = (long)m->node->n_output;
    int d;
    if (node_axis(m, attr_int(m, "axis", 0), y->view.dims.rank, &d))
        return -1;
    int given = operand_ints(m, 1, "split", 64, sizes);
    if (d == y->view.batch || outputs > 64 || (given >= 0 && given != outputs))
        return node_fail(m, "only channels are cut, into at most 64 parts");
    y->layer = view_channels(m, y, d);
    const struct value whole = *y;
    long all = whole.view.size[AXIS_C], each = (all + outputs - 1) / outputs;
    for (long i = 0; i < outputs; i++) {
        long count = given >= 0 ? sizes[i] : i < outputs - 1 ? each : all - first;
        struct value part = whole;
        part.layer = cut(m, &part, d, first, count);
        if (import_output(m, (size_t)i, &part))
            return -1;
        *y = i ? *y : part;
        first += count;
    }
    return y->layer;
}

int do_slice(struct import *m, struct value *y)
{
    struct slice s;
    int cuts = 0, d = 0;
    if (dims_slice(m, &y->view.dims, &s))
        return -1;
    for (int i = 0; i < s.dims.rank; i++)
        if (s.dims.dim[i] != y->view.dims.dim[i] || s.by[i] != 1) {
            cuts++;
            d = i;
        }
    if (!cuts)
        return y->layer;
    if (cuts > 1 || s.by[d] != 1 || d == y->view.batch)
        return node_fail(m, "only channels are joined or cut");
    y->layer = view_channels(m, y, d);
    return cut(m, y, d, s.from[d], s.dims.dim[d]);
}

/* ---- Names of classes ---- */

/* Labels are separated by spaces: a space in a name becomes a line below. */
int import_labels(struct import *m, const char *strings, const char *ints)
{
    const Onnx__AttributeProto *s = attr_find(m->node, strings), *n = attr_find(m->node, ints);
    size_t size = 1, used = 0;
    for (size_t i = 0; s && i < s->n_strings; i++)
        size += s->strings[i].len + 1;
    size += n ? n->n_ints * 24 : 0;
    char *text = calloc(size, 1);
    if (!text)
        return node_fail(m, "out of memory");
    for (size_t i = 0; s && i < s->n_strings; i++) {
        text[used] = ' ';
        used += used > 0;
        for (size_t j = 0; j < s->strings[i].len; j++, used++)
            text[used] = s->strings[i].data[j] == ' ' ? '_' : (char)s->strings[i].data[j];
    }
    for (size_t i = 0; size > 1 && !(s && s->n_strings) && n && i < n->n_ints; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? " " : "", (long long)n->ints[i]);
    int status = used ? net_set_meta(m->net, "labels", text, m->e) : 0;
    free(text);
    return status ? node_fail(m, "out of memory") : 0;
}

/* ZipMap, a map from class to probability: its classes become the labels. */
int do_zipmap(struct import *m, struct value *y)
{
    return import_labels(m, "classlabels_strings", "classlabels_int64s") ? -1 : y->layer;
}
