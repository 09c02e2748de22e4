# Completion of switchboard in bash. In ~/.bashrc:  source <(switchboard completion bash)
#
# The program is asked what could stand at the cursor: it reads the rules and the database that the line names.
_switchboard() {
    local replies reply
    COMPREPLY=()
    replies=$("$1" __complete bash -- "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ $? -eq 1 ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r reply; do
        [[ -n $reply ]] && COMPREPLY+=("$reply")
    done <<<"$replies"
    # More follows behind these.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _switchboard switchboard 2>/dev/null || complete -F _switchboard switchboard
