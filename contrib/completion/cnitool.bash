# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion of cnitool for bash.  cnitool itself tells the candidates (cnitool/complete.c).

_cnitool() {
	local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=]/} kept='' cur candidate
	local -a words candidates

	# readline breaks words at : and =, which ports and options contain.
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=('')
	mapfile -t candidates < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
	cur=${words[-1]}
	if [[ $breaks ]]; then
		kept=${cur%"${cur##*["$breaks"]}"}
		cur=${cur#"$kept"}
	fi
	COMPREPLY=()
	for candidate in "${candidates[@]}"; do
		case $candidate in
		:file) compopt -o default -o filenames ;;
		:dir)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -A directory -- "$cur")
			;;
		:command) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -A command -- "$cur") ;;
		*)
			candidate=${candidate%%$'\t'*}
			COMPREPLY+=("${candidate#"$kept"}")
			;;
		esac
	done
}

complete -F _cnitool cnitool
