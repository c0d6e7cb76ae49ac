/* Views (import.h), and the operators that change nothing else.
 *   in   a Reshape, Transpose, Squeeze, Flatten ... node
 *   out  its input's layer under another view: no value moves */
#include "import.h"

#include <stdio.h>
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

int view_spatial(struct import *m, const struct value *x)
{
    struct shape s = import_shape(m, x->layer);
    const long *size = x->view.size;
    if (s.c == size[0] && s.h == size[1] && s.w == size[2])
        return x->layer;
    struct layer *l = import_new_layer(m, OP_RESHAPE, x->layer);
    if (!l)
        return -1;
    l->out = (struct shape){(int)size[0], (int)size[1], (int)size[2]};
    return import_finish(m);
}

int view_pictures(struct import *m, const struct value *x)
{
    if (!x)
        return -1;
    if (!is_nchw(&x->view))
        return call_fail(&m->call, "only pictures of one form, [N][C][H][W], are run (rank %d)",
                         x->view.dims.rank);
    return view_spatial(m, x);
}

/* ---- Operators ---- */

/* Make the node's output its input under that view. */
int import_same(struct import *m, const struct value *x, const struct view *view)
{
    if (import_result(m, x->layer, view))
        return -1;
    struct value *y = import_find(m, m->call.node->output[0]);
    y->integer = x->integer;
    y->quantized = x->quantized;
    y->scale = x->scale;
    y->zero = x->zero;
    return 0;
}

const struct value *import_any(struct import *m)
{
    const struct value *x = import_input(m, 0);
    if (x && x->kind == RUNTIME)
        return x;
    call_fail(&m->call, "input 0 must depend on the image");
    return NULL;
}

static int do_identity(struct import *m)
{
    const struct value *x = import_any(m);
    return x ? import_same(m, x, &x->view) : -1;
}

static int do_dropout(struct import *m)
{
    if (operand_number(&m->call, 2, 0) != 0)
        return call_fail(&m->call, "dropout for training");
    return do_identity(m);
}

static int do_cast(struct import *m)
{
    const struct value *x = import_any(m);
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

static int do_view(struct import *m, int (*rule)(struct call *, const struct dims *, struct dims *))
{
    const struct value *x = import_any(m);
    struct dims dims = {0};
    if (!x || rule(&m->call, &x->view.dims, &dims))
        return -1;
    struct view view = x->view;
    return view_reshape(m, &view, &dims) ? -1 : import_same(m, x, &view);
}

static int do_reshape(struct import *m)
{
    return do_view(m, dims_reshape);
}

static int do_squeeze(struct import *m)
{
    return do_view(m, dims_squeeze);
}

static int do_unsqueeze(struct import *m)
{
    return do_view(m, dims_unsqueeze);
}

/* Flatten stays a layer where the order is C H W, so that a net that was saved here is loaded as it was. */
static int do_flatten(struct import *m)
{
    const struct value *x = import_any(m);
    if (!x || do_view(m, dims_flatten))
        return -1;
    if (!view_is_linear(&x->view) || x->integer || x->quantized ||
        x->view.size[0] * x->view.size[1] * x->view.size[2] > NET_MAX_DIM)
        return 0;
    struct value *y = import_find(m, m->call.node->output[0]);
    y->layer = import_add(m, OP_FLATTEN, x->layer);
    return y->layer < 0 ? -1 : 0;
}

static int do_transpose(struct import *m)
{
    const struct value *x = import_any(m);
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
static int do_shape(struct import *m)
{
    const struct value *x = import_any(m);
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

/* ZipMap, a map from class to probability: its classes become the labels. */
static int do_zipmap(struct import *m)
{
    struct tensor classes;
    char text[1024] = "";
    size_t used = 0;
    if (attr_tensor(&m->call, "classlabels_int64s", &classes))
        return -1;
    for (long i = 0; i < classes.count && used < sizeof text - 32; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.0f", i ? " " : "",
                                 classes.data[i]);
    tensor_free(&classes);
    if (used && net_set_meta(m->net, "labels", text, m->call.e))
        return call_fail(&m->call, "out of memory");
    return do_identity(m);
}

const struct operator view_operators[] = {
    {"Cast", do_cast},
    {"Dropout", do_dropout},
    {"Flatten", do_flatten},
    {"Identity", do_identity},
    {"Reshape", do_reshape},
    {"Shape", do_shape},
    {"Squeeze", do_squeeze},
    {"Transpose", do_transpose},
    {"Unsqueeze", do_unsqueeze},
    {"ZipMap", do_zipmap},
    {NULL, NULL},
};
