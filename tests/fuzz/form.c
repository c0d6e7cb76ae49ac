/* The form's text is from strangers: what is read of it is laid out and printed, or the error says why not.
 *     build/libfuzzer/fuzz/form tests/fuzz/corpus/form */
#include <stdlib.h>

#include "form/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_paper(const struct form_layout *l, struct form_rect r)
{
    return r.x >= 0 && r.y >= 0 && r.x + r.w <= l->width && r.y + r.h <= l->height;
}

static void print(const struct form_layout *l)
{
    struct err e = ERR_NONE;
    uint8_t *pdf;
    size_t len;
    for (size_t i = 0; i < l->items; i++)
        if (!on_paper(l, l->item[i].at) || l->item[i].sheet >= l->sheets)
            abort();
    if (form_pdf(l, 1, &pdf, &len, &e) == 0)
        free(pdf);
    else if (!e.what[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    struct form_layout layout;
    struct form *form = form_parse((const char *)data, size, "fuzz.form", &e);
    if (!form && !e.what[0])
        abort();
    if (form && form_lay_out(form, &layout, &e) == 0) {
        print(&layout);
        form_layout_free(&layout);
    } else if (!e.what[0]) {
        abort();
    }
    form_free(form);
    return 0;
}
