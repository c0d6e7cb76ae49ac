/* The code at a sheet's foot: form, sheet and copy in 36 bits, and a check of 8: the remainder by
 * x^8 + x^2 + x + 1 (CRC-8), begun with all ones, so that no sheet without a code has one. A chequered
 * pattern is laid over it: black and white are both there, whatever the numbers are. */
#include "form.h"

#define CHECK_BITS 8
#define POLYNOMIAL 0x07u

static unsigned remainder_of(const bool *bit, int n)
{
    unsigned rest = 0xff;
    for (int i = 0; i < n; i++) {
        bool carry = (rest >> 7 & 1) != (unsigned)bit[i];
        rest = (rest << 1 & 0xff) ^ (carry ? POLYNOMIAL : 0);
    }
    return rest;
}

static bool *put(bool *bit, unsigned value, int bits)
{
    while (bits-- > 0)
        *bit++ = value >> bits & 1;
    return bit;
}

static unsigned take(const bool **bit, int bits)
{
    unsigned value = 0;
    while (bits-- > 0)
        value = value << 1 | *(*bit)++;
    return value;
}

static bool chequered(int i)
{
    const int columns = FORM_CODE_BITS / FORM_CODE_ROWS;
    return (i % columns + i / columns) % 2;
}

void form_code_write(struct form_code code, bool bit[FORM_CODE_BITS])
{
    bool *to = put(put(put(bit, code.form, 16), code.sheet, 4), code.copy, 16);
    put(to, remainder_of(bit, FORM_CODE_BITS - CHECK_BITS), CHECK_BITS);
    for (int i = 0; i < FORM_CODE_BITS; i++)
        bit[i] ^= chequered(i);
}

bool form_code_read(const bool bit[FORM_CODE_BITS], struct form_code *code)
{
    bool plain[FORM_CODE_BITS];
    const bool *from = plain;
    for (int i = 0; i < FORM_CODE_BITS; i++)
        plain[i] = bit[i] != chequered(i);
    code->form = take(&from, 16);
    code->sheet = take(&from, 4);
    code->copy = take(&from, 16);
    return take(&from, CHECK_BITS) == remainder_of(plain, FORM_CODE_BITS - CHECK_BITS);
}
