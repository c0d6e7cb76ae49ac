# formtable: from the answers to a form's cells to a table.
load helper

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR" || return
}

# A form with a list, list.tsv.
form() {
    printf 'page a4\nfield id digits 3 in list.tsv max 500\nfield q digits 2 max 12\n' >f.form
}

# cell PAGE FIELD CELL DIGIT: an answer as cnn-predict -o json gives it, _ for an empty box; DIGIT may be
# digit:probability,digit:probability where the network was not sure.
cell() {
    awk -v page="$1" -v field="$2" -v cell="$3" -v said="$4" 'BEGIN {
        for (i = 0; i < 10; i++) p[i] = 0.000002
        n = split(said ~ /:/ ? said : said ":0.99998", part, ",")
        for (i = 1; i <= n; i++) {
            split(part[i], pair, ":")
            p[pair[1]] = pair[2]
            if (i == 1) digit = pair[1]
        }
        printf "{\"digit\":%s,\"probability\":%s,\"source\":\"scan.png\",\"frame\":0,\"box\":%s,\"label\":null,",
            digit == "_" ? "null" : "\"" digit "\"", digit == "_" ? "null" : p[digit],
            digit == "_" ? "null" : "[1,2,3,4]"
        printf "\"field\":\"%s\",\"cell\":%d,\"page\":\"%s\",\"probabilities\":", field, cell, page
        if (digit == "_") { print "null}"; exit }
        for (i = 0; i < 10; i++) printf "%s\"%d\":%s", i ? "," : "{", i, p[i]
        print ",\"none\":0.000000}}"
    }'
}

# page PAGE FIELD=BOXES...: the answers to a page.
page() {
    local number=$1 field boxes i
    shift
    for field; do
        boxes=${field#*=}
        for ((i = 0; i < ${#boxes}; i++)); do
            cell "$number" "${field%%=*}" $i "${boxes:i:1}"
        done
    done
}

# column NAME: of the table in the file out.
column() {
    awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }' out
}

@test "a row a page, and the columns' names" {
    { page 1 a=12 b=_7 sum=_19; page 2 a=_5 b=_0 sum=__5; } | formtable "$DATA/sum.form" >out
    [ "$(head -n 1 out)" = "$(printf 'page\ta\tb\tsum\tprobability\tcheck\tsource\tframe')" ]
    [ "$(sed -n 2p out)" = "$(printf '1\t12\t7\t19\t0.9999\t-\tscan.png\t0')" ] ||
        [ "$(cut -f 1-4,6- out | sed -n 2p)" = "$(printf '1\t12\t7\t19\t-\tscan.png\t0')" ]
    [ "$(cut -f 1-4 out | sed -n 3p)" = "$(printf '2\t5\t0\t5')" ]
}

@test "a sum decides what one digit was, and stands where every digit is plain" {
    { cell 1 a 0 7:0.6,1:0.4; cell 1 a 1 2; page 1 b=_5 sum=_17; page 2 a=12 b=_5 sum=_18; } |
        formtable "$DATA/sum.form" >out
    [ "$(column a | paste -sd ' ')" = '12 12' ]
    [ "$(column sum | paste -sd ' ')" = '17 18' ]
    [ "$(column check | paste -sd ,)" = '-,a b sum:=' ]
}

@test "a digit that cannot be told is ?, unless a rule tells it" {
    unsure='0:0.1,1:0.1,2:0.1,3:0.1,4:0.1,5:0.1,6:0.1,7:0.1,8:0.1,9:0.1'
    { cell 1 a 0 1; cell 1 a 1 $unsure; page 1 b=_5 sum=_17
        cell 2 a 0 1; cell 2 a 1 $unsure; cell 2 b 0 $unsure; cell 2 b 1 3; page 2 sum=_77; } |
        formtable "$DATA/sum.form" >out
    [ "$(column a | paste -sd ' ')" = '12 14' ]
    [ "$(column b | paste -sd ' ')" = '5 63' ]
    cell 1 a 1 $unsure | sed 's/"a"/"q"/' >in
    cell 1 q 0 4 >>in
    printf 'page a4\nfield q digits 2\n' >q.form
    formtable q.form in >out
    [ "$(column q)" = '4?' ]
    [ "$(column check)" = q ]
}

@test "a list: numbers as it writes them, its columns, and who is not in it" {
    form
    printf 'id\tname\tgroup\n012\tAda\tA\n123\tBob\tB\n' >list.tsv
    { page 1 id=_12 q=_3; page 2 id=012 q=12; page 3 id=456 q=_0; } | formtable f.form >out
    [ "$(column id | paste -sd ' ')" = '012 012 456' ]
    [ "$(column name | paste -sd ' ')" = 'Ada Ada -' ]
    [ "$(column check | paste -sd ,)" = '-,-,id:in' ]
}

@test "min, max, check, empty and boxes are named" {
    printf 'page a4\nfield a digits 2 min 5\nfield b digits 2 max 12\nfield c digits 4 check verhoeff\n' >f.form
    { page 1 a=_3 b=13 c=2363; page 2 a=__ b=1_ c=2364; } | formtable f.form >out
    [ "$(column check | paste -sd ,)" = 'a:min b:max,a:empty b:boxes c:check' ]
    [ "$(column b | paste -sd ' ')" = '13 1' ]
    [ "$(column a | paste -sd ' ')" = '3 -' ]
}

@test "unique: the readings of all pages together" {
    printf 'page a4\nfield id digits 1 unique\n' >f.form
    { cell 1 id 0 3:0.6,8:0.4; cell 2 id 0 3:0.9,8:0.1; cell 3 id 0 5; cell 4 id 0 5; } | formtable f.form >out
    [ "$(column id | paste -sd ' ')" = '8 3 5 5' ]
    [[ $(column check | paste -sd ,) == *,id:unique,id:unique ]]
}

@test "rising: never less than on the page before" {
    printf 'page a4\nfield m digits 2 rising\n' >f.form
    { page 1 m=12; cell 2 m 0 1:0.7,7:0.3; cell 2 m 1 1; page 3 m=72; page 4 m=60; } | formtable f.form >out
    [ "$(column m | paste -sd ' ')" = '12 71 72 60' ]
    [[ $(column check | paste -sd ,) == *m:rising ]]
}

@test "points and blanks" {
    printf 'page a4\nfield m digits 3.2 max 250\nfield t digits 2 blank\n' >f.form
    { page 1 m=_1250 t=__; page 2 m=___05 t=_7; } | formtable f.form >out
    [ "$(column m | paste -sd ' ')" = '12.50 0.05' ]
    [ "$(column t | paste -sd ' ')" = '- 7' ]
    [ "$(column check | paste -sd ,)" = '-,-' ]
}

@test "-k: the readings that come next" {
    { cell 1 a 0 7:0.6,1:0.4; cell 1 a 1 2; page 1 b=_5 sum=_79; } | formtable -k 2 "$DATA/sum.form" >out
    [[ $(column candidates) =~ ^a=7[24]:0\.[0-9]{4},[0-9]+:0\.[0-9]{4}\ b= ]]
    page 1 a=12 b=_7 sum=_19 | formtable -k 2 "$DATA/sum.form" >out
    [ "$(column candidates)" = - ]
}

@test "-t: how probable a field must be" {
    { cell 1 q 0 1; cell 1 q 1 2:0.95,3:0.05; } >in
    printf 'page a4\nfield q digits 2\n' >f.form
    formtable f.form in >out
    [ "$(column check)" = q ]
    formtable -t 0.9 f.form in >out
    [ "$(column check)" = - ]
}

@test "-o csv: what stands for somebody is in quotes, and a list's quotes are doubled" {
    form
    printf 'id\tname\n012\tAda, "Countess"\n' >list.tsv
    run -0 pipe "$(declare -f page cell); page 1 id=_12 q=_3 | formtable -o csv f.form | od -c | head -n 3"
    page 1 id=_12 q=_3 | formtable -o csv f.form >out
    [ "$(sed -n 2p out)" = '1,"012",3,"Ada, ""Countess""",0.9999,-,scan.png,0'$'\r' ] ||
        [[ $(sed -n 2p out) == '1,"012",3,"Ada, ""Countess""",'*',-,scan.png,0'$'\r' ]]
    python3 -c 'import csv, sys
rows = list(csv.DictReader(open("out", newline="")))
assert rows[0]["id"] == "012" and rows[0]["name"] == "Ada, \"Countess\"", rows'
}

@test "cells may come in any order, and from several pictures" {
    page 1 a=12 b=_7 sum=_19 >in
    page 2 a=30 b=40 sum=_70 | sed 's/scan.png/other.png/' >>in
    shuf --random-source=<(yes) in | formtable "$DATA/sum.form" | sort -n | cut -f 1-4,6- >shuffled
    formtable "$DATA/sum.form" in | sort -n | cut -f 1-4,6- >straight
    cmp shuffled straight
}

@test "without the fact page, each picture is one" {
    page 1 a=12 b=_7 sum=_19 | sed 's/,"page":"1"//' >in
    page 2 a=30 b=40 sum=_70 | sed 's/scan.png/other.png/; s/"page":"2"/"page":null/' >>in
    formtable "$DATA/sum.form" in >out
    [ "$(column page | paste -sd ' ')" = '1 2' ]
    [ "$(column sum | paste -sd ' ')" = '19 70' ]
}

@test "a form that others printed: digits stand at the right end, as many as were found" {
    printf 'field kg digits 4\n' >f.form
    { cell x kg 0 7; cell x kg 1 2; cell y kg 0 _; for i in 1 2 3 4 5; do cell z kg $i $i; done; } |
        sed 's/"cell":[0-9]*/"cell":null/' | formtable f.form >out
    [ "$(column kg | head -n 1)" = 72 ]
    [ "$(column kg | sed -n 2p)" = - ]
    [[ $(column check | sed -n 3p) == kg:boxes ]]
}

@test "frames of digits, through preproc's and cnn-predict's facts" {
    mnist2pgm -r 0:2 "$DATA/digits-images.gz" | preproc |
        awk 1 RS= ORS= >frames # as they are
    mnist2pgm -r 0:2 "$DATA/digits-images.gz" "$DATA/digits-labels.gz" -d digits
    n=0
    for label in digits/*; do
        for file in "$label"/*; do
            { printf 'P5\n# field=q\n# cell=%d\n# page=9\n' $n; tail -n +2 "$file" | grep -av '^# '; } >>cells
            n=$((n + 1))
        done
    done
    printf 'page a4\nfield q digits 2\n' >f.form
    preproc cells | cnn-predict -o json | formtable f.form >out
    [ "$(column page)" = 9 ]
    [ "$(column q)" = "$(basename -a digits/* | tr -d '\n')" ]
}

@test "bad input: the message, the status, and nothing lost" {
    count=0
    while IFS= read -r -u 9 name; do
        [[ -n $name && $name != \#* ]] || continue
        read -r -u 9 make
        read -r -u 9 command
        read -r -u 9 want
        read -r -u 9 message
        rm -rf ./*
        echo "# $name" >&2
        eval "$make"
        run --separate-stderr eval "$command"
        echo "status $status, $stderr" >&2
        [ "$status" -eq "$want" ]
        # shellcheck disable=SC2053
        [[ $stderr == $message ]]
        count=$((count + 1))
    done 9<"$TREE/tests/form.cases"
    [ $count -ge 20 ]
}

@test "what came before and behind a bad line is in the table" {
    { page 1 a=12 b=_7 sum=_19; echo '{"digit"'; page 2 a=11 b=_7 sum=_18; } >in
    run -1 --separate-stderr formtable "$DATA/sum.form" in
    [ "$(cut -f 1-4 <<<"${lines[2]}")" = "$(printf '2\t11\t7\t18')" ]
    run -1 --separate-stderr formtable "$DATA/sum.form" absent in
    [[ $stderr == *"absent: cannot open"* ]]
    [ "${#lines[@]}" -eq 3 ]
}

@test "options" {
    for bad in '' '-o xls f' '-k 0 f' '-t 2 f' '-x f' '-'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr formtable $bad </dev/null
        [[ $stderr == *usage:* ]]
    done
    run -0 formtable -h
    [ "${lines[0]}" = 'usage: formtable [-hV] [-k n] [-o format] [-t p] form [file ...]' ]
    run -0 formtable -V
}

# bats test_tags=once
@test "a thousand pages of eight boxes against a list of a thousand: within 5 s and 64 MB" {
    awk 'BEGIN {
        srand(1)
        print "page a4\nfield id digits 8 in ids.tsv unique" >"f.form"
        for (page = 1; page <= 1000; page++) {
            id = sprintf("%08d", page * 48271 % 99999989)
            print id "\tN" page >"ids.tsv"
            for (i = 0; i < 8; i++) {
                digit = substr(id, i + 1, 1)
                other = int(rand() * 10)
                p = rand() < .03 ? .3 : .999
                printf "{\"digit\":\"%d\",\"probability\":%f,\"field\":\"id\",\"cell\":%d,\"page\":\"%d\",", digit, p, i, page
                printf "\"source\":\"a\",\"frame\":%d,\"probabilities\":{", page
                for (k = 0; k < 10; k++)
                    printf "%s\"%d\":%f", k ? "," : "", k, k == digit ? p : k == other ? (1 - p) * .9 : (1 - p) / 90
                print "}}"
            }
        }
    }' >in
    start=$(date +%s%N)
    formtable f.form in >out
    took=$((($(date +%s%N) - start) / 1000000))
    echo "$took ms"
    ((took < 5000))
    [ "$(column id | cksum)" = "$(cut -f 1 ids.tsv | cksum)" ]
    [ "$(peak formtable f.form in)" -lt 64 ]
}

# bats test_tags=once
@test "pages on which nothing can be told take bounded time and memory" {
    printf 'page a4\nfield a digits 4\nfield b digits 4\nfield c digits 4\nfield v digits 12 = a * b * c\n' >f.form
    for field in 'a 4' 'b 4' 'c 4' 'v 12'; do
        for ((i = 0; i < ${field#* }; i++)); do
            cell 1 "${field% *}" $i 0:0.1,1:0.1,2:0.1,3:0.1,4:0.1,5:0.1,6:0.1,7:0.1,8:0.1,9:0.1
        done
    done >in
    (ulimit -v 400000 -t 20 && formtable f.form in >out)
    [ "$(column v)" = "????????????" ]
}
