# bash completion of `teiten GROUP …`: the group's own completion, called as if its program had been typed.
_teiten() {
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "sensor aggregator report help" -- "$2"))
        return
    fi
    local program="teiten-${COMP_WORDS[1]}" complete folder
    case "${COMP_WORDS[1]}" in sensor | aggregator | report) ;; *) return ;; esac
    complete="_${program/-/__}"
    if ! declare -F "$complete" >/dev/null; then
        # The other completions are in the folder of this file.
        folder="${BASH_SOURCE[0]%/*}"
        source "$folder/$program" 2>/dev/null || source "$folder/$program.bash" 2>/dev/null || return
    fi
    COMP_WORDS=("$program" "${COMP_WORDS[@]:2}")
    COMP_CWORD=$((COMP_CWORD - 1))
    "$complete" "$program" "$2" "$3"
}
complete -F _teiten -o bashdefault -o default teiten
