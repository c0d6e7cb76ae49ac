/* luhn: ISO/IEC 7812-1. mod11: each digit times its place from 1 at the right, as in ISBN-10. mod97: ISO 7064
 * MOD 97-10, as in IBAN. verhoeff: J. Verhoeff, Error Detecting Decimal Codes, 1969. */
#include "form_check.h"

int check_states(enum form_check check)
{
    static const int states[] = {[FORM_NO_CHECK] = 1, [FORM_LUHN] = 10, [FORM_MOD11] = 11,
                                 [FORM_MOD97] = CHECK_MAX_STATES, [FORM_VERHOEFF] = 10};
    return states[check];
}

static int step_luhn(int state, int place, int digit)
{
    int doubled = place % 2 ? 2 * digit : digit;
    return (state + doubled / 10 + doubled % 10) % 10;
}

static int step_mod97(int state, int place, int digit)
{
    int power = 1;
    while (place-- > 0)
        power = power * 10 % 97;
    return (state + power * digit) % 97;
}

/* The product in the dihedral group of the pentagon: 0..4 turn it, 5..9 turn it over too. */
static int dihedral(int a, int b)
{
    if (a < 5)
        return b < 5 ? (a + b) % 5 : 5 + (a + b) % 5;
    return b < 5 ? 5 + (a - b) % 5 : (a - b + 5) % 5;
}

static int step_verhoeff(int state, int place, int digit)
{
    static const int permuted[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
    for (place %= 8; place > 0; place--)
        digit = permuted[digit];
    return dihedral(state, digit);
}

int check_step(enum form_check check, int state, int place, int digit)
{
    switch (check) {
    case FORM_LUHN: return step_luhn(state, place, digit);
    case FORM_MOD11: return (state + (place + 1) * digit) % 11;
    case FORM_MOD97: return step_mod97(state, place, digit);
    case FORM_VERHOEFF: return step_verhoeff(state, place, digit);
    case FORM_NO_CHECK: break;
    }
    return 0;
}

bool check_accepts(enum form_check check, int state)
{
    return state == (check == FORM_MOD97 ? 1 : 0);
}

bool check_passes(enum form_check check, const int *digit, int n)
{
    int state = 0;
    for (int i = 0; i < n; i++)
        state = check_step(check, state, i, digit[n - 1 - i]);
    return check_accepts(check, state);
}
