/* Any picture, as a photo of a form: the first bytes say how wide, how large each pixel is drawn, and where its
 * sheet is said to lie. Run: build/libfuzzer/fuzz/sheet tests/fuzz/corpus/sheet */
#include <stdlib.h>
#include <string.h>

#include "form/form.h"

#define HEAD 12

static const char text[] = "page a4\nfield id digits 8\nfield mass digits 2.1\n";
static struct form_reader *reader;
static struct form_layout layout;

static int start(void)
{
    struct err e = ERR_NONE;
    static struct form *form;
    if (!form)
        form = form_parse(text, sizeof text - 1, "a.form", &e);
    if (form && !layout.cells && form_lay_out(form, &layout, &e))
        return -1;
    if (form && !reader)
        reader = form_reader_new(&e);
    return form && reader ? 0 : -1;
}

static void check(const struct form_ink *ink, size_t n, int w, int h)
{
    if (n != layout.cells)
        abort();
    for (size_t i = 0; i < n; i++)
        if ((ink[i].w > 0) != (ink[i].cut != NULL) || ink[i].x < 0 || ink[i].y < 0 || ink[i].x + ink[i].w > w + 1 ||
            ink[i].y + ink[i].h > h + 1 || (ink[i].cut && (ink[i].cut_w < 1 || ink[i].cut_h < 1)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < HEAD + 1)
        return 0;
    int w = data[0] + 1, zoom = data[1] % 8 + 1, h = (int)((len - HEAD) / (size_t)w);
    if (h < 1 || h > 320 || start())
        return 0;
    struct err e = ERR_NONE;
    struct form_sheet sheet;
    struct form_ink *ink;
    size_t n;
    uint8_t *gray = malloc((size_t)(w * zoom) * (size_t)(h * zoom));
    if (!gray)
        return 0;
    for (int y = 0; y < h * zoom; y++)
        for (int x = 0; x < w * zoom; x++)
            gray[y * w * zoom + x] = data[HEAD + y / zoom * w + x / zoom];
    if (form_find_sheet(reader, &layout, gray, w * zoom, w * zoom, h * zoom, &sheet, &e)) {
        for (int i = 0; i < 9; i++)
            sheet.to_picture[i] = (data[2 + i] - 128) * (i < 6 ? 0.05 : 0.0005);
        sheet.code.sheet = 0;
    }
    if (!form_read_cells(reader, &layout, gray, w * zoom, w * zoom, h * zoom, &sheet, &ink, &n, &e) && w * zoom > 1 &&
        h * zoom > 1)
        check(ink, n, w * zoom, h * zoom);
    free(gray);
    return 0;
}
