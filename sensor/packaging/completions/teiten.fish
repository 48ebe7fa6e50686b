# fish completion of `teiten GROUP COMMAND …` and `teiten COMMAND …`: the group's own completion, called as if its program had been typed.
set -g __teiten_sensor replay capture check explain top rules geo
set -g __teiten_aggregator verify rollup merge export actors schema compact prune new alerts push pull
set -g __teiten_report build figure list diff
function __teiten_group
    set -l words (commandline -opc)
    set -e words[1]
    for group in sensor aggregator report
        set -l commands __teiten_$group
        if test "$words[1]" = $group
            set -e words[1]
        else if not contains -- "$words[1]" $$commands
            continue
        end
        complete -C "teiten-$group $words "(commandline -ct)
        return
    end
end
set -l groups sensor aggregator report
complete -c teiten -f
complete -c teiten -n __fish_use_subcommand -a sensor -d "packets into hourly tables"
complete -c teiten -n __fish_use_subcommand -a aggregator -d "tends a dataset"
complete -c teiten -n __fish_use_subcommand -a report -d "a dataset into reports and figures"
complete -c teiten -n __fish_use_subcommand -a help -d "says what there is"
for group in $groups
    set -l commands __teiten_$group
    complete -c teiten -n __fish_use_subcommand -a "$$commands" -d "teiten $group"
end
complete -c teiten -n "__fish_seen_subcommand_from help" -a "$groups"
complete -c teiten -n "not __fish_use_subcommand" -a "(__teiten_group)"
