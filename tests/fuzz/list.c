/* A list that a field names is from strangers: any bytes are refused with an error, or are a list whose entries
 * are found by their values, each once.
 *     build/libfuzzer/fuzz/list tests/fuzz/corpus/list */
#include <stdlib.h>
#include <string.h>

#include "form/form_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct form_list *list)
{
    if (list->entries < 1)
        abort();
    for (int i = 0; i < list->entries; i++) {
        if (list_find(list, list->entry[i].value) != i || form_list_find(list, list->entry[i].text) != i)
            abort();
        for (int k = 0; k < form_list_columns(list); k++)
            if (strchr(form_list_value(list, i, k), '\t') || strchr(form_list_column(list, k), '\t'))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct form_field field = {.name = "id", .digits = 4, .has_min = true, .min = 2, .check = FORM_LUHN};
    struct err e = ERR_NONE;
    char *bytes = malloc(size + 1);
    if (!bytes)
        return 0;
    if (size)
        memcpy(bytes, data, size);
    bytes[size] = '\0';
    struct form_list *list = list_parse(&field, bytes, size, &e);
    if (list)
        look_up(list);
    else if (!e.what[0])
        abort();
    list_free(list);
    return 0;
}
