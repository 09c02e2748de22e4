#compdef switchboard
# Completion of switchboard in zsh. In ~/.zshrc, behind compinit:  source <(switchboard completion zsh)
#
# The program is asked what could stand at the cursor: it reads the rules and the database that the line names.
_switchboard() {
    local replies value about shown
    local -a whole whole_shown begun begun_shown
    replies=$("${(Q)${~words[1]}}" __complete words -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    if [[ $? -eq 1 ]]; then
        compset -P '--*='
        _files
        return
    fi
    while IFS=$'\t' read -r value about; do
        [[ -n $value ]] || continue
        shown=$value
        [[ -n $about ]] && shown="$value  -- $about"
        # More follows behind these.
        if [[ $value == *[:=/] ]]; then
            begun+=("$value") begun_shown+=("$shown")
        else
            whole+=("$value") whole_shown+=("$shown")
        fi
    done <<<"$replies"
    compadd -V switchboard -l -d whole_shown -a whole
    compadd -V switchboard -l -S '' -d begun_shown -a begun
}
if [[ $funcstack[1] == _switchboard ]]; then
    _switchboard "$@"
else
    compdef _switchboard switchboard
fi
