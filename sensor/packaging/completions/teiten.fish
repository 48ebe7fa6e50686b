# fish completion of `teiten GROUP …`: the group's own completion, called as if its program had been typed.
function __teiten_group
    set -l words (commandline -opc)
    set -e words[1]
    set -l group $words[1]
    set -e words[1]
    complete -C "teiten-$group $words "(commandline -ct)
end
set -l groups sensor aggregator report
complete -c teiten -n "not __fish_seen_subcommand_from $groups" -f -a sensor -d "packets into hourly tables"
complete -c teiten -n "not __fish_seen_subcommand_from $groups" -f -a aggregator -d "tends a dataset"
complete -c teiten -n "not __fish_seen_subcommand_from $groups" -f -a report -d "a dataset into reports and figures"
complete -c teiten -n "__fish_seen_subcommand_from $groups" -f -a "(__teiten_group)"
