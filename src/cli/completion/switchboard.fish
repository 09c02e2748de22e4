# Completion of switchboard in fish. In ~/.config/fish/config.fish:  switchboard completion fish | source
#
# The program is asked what could stand at the cursor: it reads the rules and the database that the line names.
function __switchboard_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l replies ($words[1] __complete words -- $words "$current" 2>/dev/null)
    if test $status -eq 1
        __fish_complete_path "$current"
    else
        printf '%s\n' $replies
    end
end
complete --command switchboard --no-files --keep-order --arguments '(__switchboard_complete)'
