# bash completion of `teiten GROUP COMMAND …` and `teiten COMMAND …`: the group's own completion, called as if its program had been typed.
_teiten() {
    local sensor="replay capture check explain top rules geo"
    local aggregator="verify rollup merge export actors schema compact prune new alerts push pull"
    local report="build figure list diff"
    local word="${COMP_WORDS[1]}" group="" candidate complete folder program
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "sensor aggregator report help $sensor $aggregator $report" -- "$2"))
        return
    fi
    if [[ $word == help ]]; then
        COMPREPLY=($(compgen -W "sensor aggregator report" -- "$2"))
        return
    fi
    for candidate in sensor aggregator report; do
        if [[ $word == "$candidate" ]]; then
            group="$candidate"
            COMP_WORDS=("" "${COMP_WORDS[@]:2}")
            COMP_CWORD=$((COMP_CWORD - 1))
        elif [[ " ${!candidate} " == *" $word "* ]]; then
            group="$candidate"
        fi
    done
    [[ -n $group ]] || return
    program="teiten-$group"
    COMP_WORDS[0]="$program"
    complete="_${program/-/__}"
    if ! declare -F "$complete" >/dev/null; then
        # The other completions are in the folder of this file.
        folder="${BASH_SOURCE[0]%/*}"
        source "$folder/$program" 2>/dev/null || source "$folder/$program.bash" 2>/dev/null || return
    fi
    "$complete" "$program" "$2" "$3"
}
complete -F _teiten -o bashdefault -o default teiten
