/* The table of operators.
 *   in   a node's operator, domain, inputs and attributes
 *   out  how it is computed of constants (fold) and how it becomes layers (run)
 * Source: ONNX's operator specifications, Operators.md and Operators-ml.md, opsets 7 to 28. What is not in the
 * table is refused by name, and so is an attribute that is not. */
#include "import.h"

#include <math.h>
#include <string.h>

#define ML "ai.onnx.ml"
#define MS "com.microsoft" /* what ONNX Runtime's quantizer writes */

#define WINDOW "auto_pad dilations group kernel_shape pads strides "
#define POOLS WINDOW "ceil_mode count_include_pad storage_order"
#define RESIZES                                                                                    \
    "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "                 \
    "extrapolation_value keep_aspect_ratio_policy mode nearest_mode scales"
#define REDUCES "axes keepdims noop_with_empty_axes"
#define QUANTIZES "axis block_size output_dtype precision saturate"

#define MANY 65535 /* A node of an operator with any number of inputs has at most so many. */

double inverted(double x)
{
    return 1 / x;
}

double negated(double x)
{
    return -x;
}

static const struct operator operators[] = {
    {"Abs", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = fabs, .kind = FUNCTION_ABS},
    {"Add", 2, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = '+'},
    {"AveragePool", 1, 1, POOLS, .run = do_pool, .kind = OP_AVGPOOL},
    {"BatchNormalization", 5, 5, "epsilon momentum spatial training_mode", .run = do_batchnorm},
    {"Cast", 1, 1, "to saturate round_mode", .fold = fold_cast, .run = do_cast, .takes = ANY},
    {"Celu", 1, 1, "alpha", .run = do_pointwise, .kind = FUNCTION_CELU, .alpha = 1},
    {"Clip", 1, 3, "min max", .run = do_clip},
    {"Concat", 1, MANY, "axis", .fold = fold_concat, .run = do_concat},
    {"Constant", 0, 0, "value value_int value_ints value_float value_floats value_string value_strings sparse_value",
     .fold = fold_constant},
    {"ConstantOfShape", 1, 1, "value", .fold = fold_constant_of_shape},
    {"Conv", 2, 3, WINDOW, .run = do_conv},
    {"ConvInteger", 2, 4, WINDOW, .run = do_conv_integer, .takes = ANY},
    {"ConvTranspose", 2, 3, WINDOW "output_padding output_shape", .run = do_conv_transpose},
    {"DequantizeLinear", 2, 3, QUANTIZES, .fold = fold_dequantize, .run = do_dequantize, .takes = ANY},
    {"Div", 2, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = '/'},
    {"Dropout", 1, 3, "ratio seed", .run = do_dropout, .takes = ANY},
    {"DynamicQuantizeLinear", 1, 1, "", .run = do_dynamic_quantize},
    {"Elu", 1, 1, "alpha", .run = do_pointwise, .kind = FUNCTION_ELU, .alpha = 1},
    {"Erf", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = erf, .kind = FUNCTION_ERF},
    {"Exp", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = exp, .kind = FUNCTION_EXP},
    {"Expand", 2, 2, "", .fold = do_expand, .run = do_expand},
    {"Flatten", 1, 1, "axis", .fold = do_view, .run = do_flatten, .takes = ANY, .rule = dims_flatten},
    {"Gather", 2, 2, "axis", .fold = fold_gather},
    {"Gelu", 1, 1, "approximate", .run = do_gelu},
    {"Gemm", 2, 3, "alpha beta transA transB", .run = do_gemm},
    {"GlobalAveragePool", 1, 1, "", .run = do_global, .kind = OP_GLOBALPOOL},
    {"GlobalMaxPool", 1, 1, "", .run = do_global, .kind = OP_MAXPOOL},
    {"Greater", 2, 2, "", .run = do_compare, .takes = ITSELF, .kind = '>'},
    {"GreaterOrEqual", 2, 2, "", .run = do_compare, .takes = ITSELF, .kind = 'g'},
    {"GroupNormalization", 3, 3, "epsilon num_groups stash_type", .run = do_group_norm},
    {"HardSigmoid", 1, 1, "alpha beta", .run = do_pointwise, .kind = FUNCTION_HARD_SIGMOID, .alpha = .2f, .beta = .5f},
    {"HardSwish", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_HARD_SWISH},
    {"Identity", 1, 1, "", .fold = do_identity, .run = do_identity, .takes = ANY},
    {"InstanceNormalization", 3, 3, "epsilon", .run = do_group_norm},
    {"LayerNormalization", 2, 3, "axis epsilon stash_type", .run = do_layer_norm},
    {"LeakyRelu", 1, 1, "alpha", .run = do_pointwise, .kind = FUNCTION_LEAKY_RELU, .alpha = .01f},
    {"Less", 2, 2, "", .run = do_compare, .takes = ITSELF, .kind = '<'},
    {"LessOrEqual", 2, 2, "", .run = do_compare, .takes = ITSELF, .kind = 'l'},
    {"Log", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = log, .kind = FUNCTION_LOG},
    {"LogSoftmax", 1, 1, "axis", .run = do_softmax},
    {"MatMul", 2, 2, "", .run = do_matmul},
    {"MatMulInteger", 2, 4, "", .run = do_matmul_integer, .takes = ANY},
    {"Max", 1, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = 'M'},
    {"MaxPool", 1, 1, POOLS, .run = do_pool, .takes = ANY, .kind = OP_MAXPOOL},
    {"Min", 1, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = 'm'},
    {"Mish", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_MISH},
    {"Mul", 2, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = '*'},
    {"Neg", 1, 1, "", .fold = fold_each, .run = do_negative, .each = negated},
    {"PRelu", 2, 2, "", .run = do_prelu},
    {"Pad", 1, 4, "mode pads value", .run = do_pad},
    {"Pow", 2, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = '^'},
    {"QLinearConv", 8, 9, WINDOW, .run = do_qlinear_conv, .takes = ANY},
    {"QLinearMatMul", 8, 8, "", .run = do_qlinear_matmul, .takes = ANY},
    {"QuantizeLinear", 2, 3, QUANTIZES, .fold = fold_quantize, .run = do_quantize, .takes = ANY},
    {"Reciprocal", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = inverted, .kind = FUNCTION_RECIPROCAL},
    {"ReduceL2", 1, 2, REDUCES, .run = do_reduce, .kind = 'L'},
    {"ReduceMean", 1, 2, REDUCES, .run = do_reduce, .kind = 'M'},
    {"ReduceProd", 1, 2, REDUCES, .fold = fold_reduce_prod},
    {"ReduceSum", 1, 2, REDUCES, .run = do_reduce, .kind = 'S'},
    {"Relu", 1, 1, "", .run = do_each, .kind = OP_RELU},
    {"Reshape", 2, 2, "allowzero", .fold = do_view, .run = do_view, .takes = ANY, .rule = dims_reshape},
    {"Resize", 1, 4, RESIZES, .run = do_resize},
    {"Selu", 1, 1, "alpha gamma", .run = do_pointwise, .kind = FUNCTION_SELU, .alpha = 1.67326319f,
     .beta = 1.05070102f},
    {"Shape", 1, 1, "start end", .fold = do_shape, .run = do_shape, .takes = ANY},
    {"Sigmoid", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_SIGMOID},
    {"Slice", 1, 5, "starts ends axes", .fold = do_slice, .run = do_slice},
    {"Softmax", 1, 1, "axis", .run = do_softmax},
    {"Softplus", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_SOFTPLUS},
    {"Softsign", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_SOFTSIGN},
    {"Split", 1, 2, "axis split num_outputs", .run = do_split},
    {"Sqrt", 1, 1, "", .fold = fold_each, .run = do_pointwise, .each = sqrt, .kind = FUNCTION_SQRT},
    {"Squeeze", 1, 2, "axes", .fold = do_view, .run = do_view, .takes = ANY, .rule = dims_squeeze},
    {"Sub", 2, 2, "", .fold = fold_arithmetic, .run = do_arithmetic, .takes = ITSELF, .kind = '-'},
    {"Sum", 1, MANY, "", .run = do_sum, .takes = ANY, .kind = '+'},
    {"Swish", 1, 1, "alpha", .run = do_swish},
    {"Tanh", 1, 1, "", .run = do_pointwise, .kind = FUNCTION_TANH},
    {"ThresholdedRelu", 1, 1, "alpha", .run = do_pointwise, .kind = FUNCTION_THRESHOLDED_RELU, .alpha = 1},
    {"Transpose", 1, 1, "perm", .fold = do_transpose, .run = do_transpose, .takes = ANY},
    {"Unsqueeze", 1, 2, "axes", .fold = do_view, .run = do_view, .takes = ANY, .rule = dims_unsqueeze},
    {"Upsample", 1, 2, "mode scales", .run = do_resize},
    {"Where", 3, 3, "", .run = do_where, .takes = ANY},
    {"LinearClassifier", 1, 1,
     "classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform",
     .run = do_linear_classifier, .out = 1, .domain = ML},
    {"Normalizer", 1, 1, "norm", .run = do_normalizer, .takes = ANY, .domain = ML},
    {"Scaler", 1, 1, "offset scale", .run = do_scaler, .domain = ML},
    {"ZipMap", 1, 1, "classlabels_int64s classlabels_strings", .run = do_zipmap, .takes = ANY, .domain = ML},
    {"QGemm", 6, 9, "alpha transA transB", .run = do_qlinear_matmul, .takes = ANY, .domain = MS},
};

const struct operator *operator_of(const Onnx__NodeProto *node)
{
    const char *domain = node->domain && strcmp(node->domain, "ai.onnx") ? node->domain : "";
    for (size_t i = 0; node->op_type && i < sizeof operators / sizeof *operators; i++) {
        const struct operator *o = &operators[i];
        if (!strcmp(o->type, node->op_type) && !strcmp(o->domain ? o->domain : "", domain))
            return o;
    }
    return NULL;
}

/* Whether a word is in a list with spaces between words. */
static bool is_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (strcspn(p, " ") == len && !strncmp(p, word, len))
            return true;
    return false;
}

bool operator_takes(const struct operator *o, const char *attribute)
{
    return is_listed(o->attributes, attribute);
}

const char *operator_name(enum function function)
{
    static const char *const others[FUNCTION_COUNT] = {
        [FUNCTION_CLIP] = "Clip", [FUNCTION_GELU] = "Gelu", [FUNCTION_GELU_TANH] = "Gelu",
        [FUNCTION_GREATER] = "Greater", [FUNCTION_POW] = "Pow"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].run == do_pointwise && operators[i].kind == (int)function)
            return operators[i].type;
    return others[function];
}

int operator_check(struct import *m)
{
    size_t given = m->node->n_input;
    if (given < (size_t)m->operator->min || given > (size_t)m->operator->max)
        return node_fail(m, "%zu input%s, %s %d", given, given == 1 ? "" : "s",
                         given < (size_t)m->operator->min ? "not at least" : "not at most",
                         given < (size_t)m->operator->min ? m->operator->min : m->operator->max);
    for (size_t i = 0; i < m->node->n_attribute; i++) {
        const char *name = m->node->attribute[i]->name ? m->node->attribute[i]->name : "";
        if (!operator_takes(m->operator, name))
            return node_fail(m, "attribute %.30s is not known", name);
    }
    return 0;
}
