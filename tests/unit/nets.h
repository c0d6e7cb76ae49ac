/* Small networks that between them use every layer and every way layers meet. */
#ifndef INKPIPE_NETS_H
#define INKPIPE_NETS_H

struct net_case {
    const char *name, *text;
};

static const struct net_case net_cases[] = {
    {"the seed's order, no padding",
     "input 1 12 12\nconv 8 3x3\nrelu\nbatchnorm\nconv 40 3x3\nrelu\nbatchnorm\nmaxpool 2x2\n"
     "dropout 0.25\nflatten\ndense 24\nrelu\nbatchnorm\ndropout 0.5\ndense 10\nsoftmax\n"},
    {"batch norm before relu, padding, global pool",
     "input 1 9 11\nconv 16 3x3 pad same nobias\nbatchnorm\nrelu\nmaxpool 2x2\n"
     "conv 20 3x3 pad same nobias\nbatchnorm\nrelu\nglobalpool\ndense 5\nsoftmax\n"},
    {"residual sums",
     "input 3 8 8\nconv 32 3x3 pad 1\nbatchnorm\nrelu\nname a\nconv 32 3x3 pad 1\nbatchnorm\nrelu\n"
     "conv 32 3x3 pad 1\nbatchnorm\nadd a\nrelu\nname b\nconv 16 1x1\nname c\nfrom b\n"
     "conv 16 3x3 pad 1 \nadd c\nrelu\navgpool 2x2\nflatten\ndense 7\nsoftmax\n"},
    {"strides, dilation, even kernels",
     "input 2 13 14\nconv 17 3x3 stride 2 pad 1\nrelu\nconv 9 2x2 dilation 2\nrelu\n"
     "conv 33 4x1\nrelu\nglobalpool\ndense 3\nsoftmax\n"},
    {"overlapping and padded pools",
     "input 1 14 14\nconv 18 3x3\nrelu\nmaxpool 3x3 stride 2 pad 1\nconv 4 1x1\n"
     "avgpool 3x3 stride 1 pad 1\nrelu\nflatten\nbatchnorm\ndense 4\nsoftmax\n"},
    {"pool before relu, dropout in between",
     "input 1 10 10\nconv 16 3x3\nmaxpool 2x2\nbatchnorm\nrelu\ndropout 0.1\nconv 32 3x3 pad 1\n"
     "dropout 0.3\nrelu\nmaxpool 2x2\nflatten\ndense 10\nsoftmax\n"},
    {"full blocks of channels, large pictures, half tiles",
     "input 1 29 30\nconv 16 3x3\nrelu\nconv 20 3x3 pad same\nbatchnorm\nconv 33 3x3\nmaxpool 4x4\n"
     "flatten\ndense 9\nsoftmax\n"},
    {"no convolution", "input 1 6 6\nflatten\ndense 30\nrelu\ndense 20\nrelu\ndense 10\nsoftmax\n"},
    {"no dense layer", "input 1 8 8\nconv 10 3x3\nbatchnorm\nrelu\nconv 10 1x1\nglobalpool\nsoftmax\n"},
    {"many channels at the end",
     "input 1 8 8\nconv 48 3x3\nrelu\nmaxpool 3x3\nflatten\ndense 100\nsoftmax\n"},
    {"wide kernel and strides on one channel",
     "input 1 15 14\nconv 20 5x5 stride 2x1 nobias\nbatchnorm\nrelu\nconv 16 3x3 nobias\n"
     "maxpool 2x2\nbatchnorm\nrelu\nflatten\ndense 10\nsoftmax\n"},
    {"two batch norms behind a relu",
     "input 1 10 10\nconv 9 3x3\nrelu\nbatchnorm\nbatchnorm\nrelu\nmaxpool 2x2\nbatchnorm\nrelu\n"
     "flatten\ndense 20\nrelu\nbatchnorm\nbatchnorm\nrelu\ndense 5\nsoftmax\n"},
    {"dilations by Winograd's algorithm",
     "input 1 25 26\nconv 16 3x3\nrelu\nname a\nconv 32 3x3 dilation 2 pad same\nrelu\n"
     "conv 16 3x3 dilation 3 pad same\nadd a\nrelu\nmaxpool 4x4\nflatten\ndense 5\nsoftmax\n"},
    {"dilation on one channel",
     "input 1 11 12\nconv 16 3x3 dilation 2 pad 1\nrelu\nmaxpool 2x2\ndense 4\nsoftmax\n"},
    {"dilation of rows alone on one channel",
     "input 1 11 10\nconv 16 2x7 dilation 3x1\nrelu\nmaxpool 2x2\ndense 4\nsoftmax\n"},
};

#define NET_CASES ((int)(sizeof net_cases / sizeof *net_cases))

#endif
