# scripts/completions: what bash, zsh and fish complete; and the desktop entry.
# bats file_tags=once
load helper

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    for shell in bash zsh fish; do "$BATS_TEST_DIRNAME/../scripts/completions" $shell >$shell || return; done
    mkdir functions && mv zsh functions/_inkpipe
    mkdir files && touch files/a.onnx files/b.onnx && mkdir files/folder
}

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_FILE_TMPDIR/files" || return
}

# What bash offers for the last of the words.
offers() {
    bash --norc --noprofile -c '
        compopt() { :; } # it is for completion by hand only
        . ../bash
        COMP_WORDS=("$@")
        _inkpipe "$1" "${!#}" "${@:$#-1:1}"
        printf "%s\n" "${COMPREPLY[@]}"' - "$@"
}

# The options in what the program takes apart, one a line.
taken() {
    case $1 in
    inkpipe-draw) printf '%s\n' h l p z ;;
    inkpipe-classify) sed -n "s/^getopts('\(.*\)', .*/\1/p" "$TREE/scripts/classify-folder" ;;
    inkpipe-camera) sed -n 's/^while getopts \([^ ]*\) option.*/\1/p' "$TREE/scripts/${1#inkpipe-}" ;;
    *) sed -n 's/.*getopt(argc, argv, "\(.*\)").*/\1/p' "$TREE/cmd/$1.c" ;;
    esac | tr -d ':\n' | fold -w 1 | sort
}

@test "every option of every program is completed in each shell, is on its page, and no other" {
    for page in "$TREE"/man/*.1; do
        name=$(basename "$page" .1)
        echo "$name"
        options=$(taken "$name")
        [ "$options" ]
        [ "$(offers "$name" - | cut -c 2 | sort)" = "$options" ]
        [ "$(sed -n "s/^complete -c $name -s \(.\) .*/\1/p" ../fish | sort)" = "$options" ]
        [ "$(sed -n "/^$name)/,/;;/s/^ *'\*-\(.\).*/\1/p" ../functions/_inkpipe | sort)" = "$options" ]
        [ "$name" = inkpipe-draw ] ||
            [ "$(sed -n 's/^\.It Fl \(.\).*/\1/p' "$page" | sort -u)" = "$options" ]
    done
}

@test "every option has its words of explanation" {
    run -1 grep -e "-d ''" ../fish
    run -1 grep -F '[]' ../functions/_inkpipe
}

@test "bash: options, the words a value can be, folders, commands" {
    [ "$(offers cnn-predict -o '' | paste -sd ' ')" = 'text json' ]
    [ "$(offers cnn-predict -m x.onnx -o j)" = json ]
    [ "$(offers /usr/bin/cnn-train -O ada | paste -sd ' ')" = 'adamw adam' ]
    [ "$(offers mnist2pgm -d '')" = folder ]
    [[ $(offers xview -e unli) = *unlink* ]]
    [ -z "$(offers cnn-predict -j '')" ]
}

@test "bash: who presses the tabulator gets the file" {
    # shellcheck disable=SC2016 # for the inner shell
    run -0 timeout 120 script -qec 'bash --norc --noprofile -i' /dev/null \
        <<<$'. ../bash\ncnn-predict() { echo got "$@"; }\ncnn-predict -m a\t\nexit'
    [[ $output = *'got -m a.onnx'* ]]
}

@test "zsh: options and words, by its own completion" {
    run -0 timeout 120 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PROMPT=; fpath=('"$PWD"'/../functions \$fpath); autoload -Uz compinit; compinit -D -u"
        zpty -w shell "cnn-predict() { print got \$@ }"
        zpty -w shell "cnn-predict -o j"$'"'\\t'"'
        zpty -w shell "exit"
        while zpty -r shell line; do print -r -- $line; done'
    [[ $output = *'got -o json'* ]]
}

@test "fish: options, words and files" {
    offers_fish() {
        fish --no-config -c "source ../fish; complete -C '$1'" | cut -f 1 | sort | paste -sd ' '
    }
    [ "$(offers_fish 'cnn-predict -o ')" = 'json text' ]
    [ "$(offers_fish 'cnn-train -S one')" = onecycle ]
    [[ $(offers_fish 'cnn-predict -m ') = *'a.onnx b.onnx'* ]]
    [[ $(offers_fish 'preproc -') = *-j*-m*-r* ]]
}

@test "wrong usage" {
    run -2 "$TREE/scripts/completions" csh
    [[ $output = usage:* ]]
}

@test "the desktop entry is valid, and its icon a picture" {
    desktop-file-validate "$TREE/scripts/inkpipe-draw.desktop"
    [ "$(sed -n 's/^Icon=//p' "$TREE/scripts/inkpipe-draw.desktop")" = inkpipe ]
    python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$TREE/scripts/inkpipe.svg"
}
