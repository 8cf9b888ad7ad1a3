# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion of cnitool for fish.  cnitool itself tells the candidates (cnitool/complete.c).

function __cnitool_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
            case :dir
                __fish_complete_directories (string replace -r '^--[^=]*=' '' -- "$current")
            case :command
                complete -C "$current"
            case '*'
                echo $line
        end
    end
end

complete -c cnitool -f -a '(__cnitool_candidates)'
