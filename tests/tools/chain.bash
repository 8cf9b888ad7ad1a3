# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# chain.bash - calls the plugins of a conflist as a runtime does
#
# The configuration of each plugin is derived as the specification has it (section
# "Deriving execution configuration from plugin configuration"): name and version
# from the list, runtimeConfig for the capabilities it declares, prevResult.  The
# capability arguments are those in the list's own key "capArgs".

CHAIN_FILE=
CHAIN_LENGTH=0
CHAIN_ANSWER=
CHAIN_STATUS=0

# chain_load FILE
chain_load() {
	CHAIN_FILE=$1
	CHAIN_LENGTH=$(jq '.plugins | length' "$1")
}

# chain_type INDEX
chain_type() {
	jq -r --argjson i "$1" '.plugins[$i].type' "$CHAIN_FILE"
}

# chain_conf INDEX [PREVRESULT]
chain_conf() {
	jq -c --argjson i "$1" --argjson prev "${2:-null}" '
		(.capArgs // {}) as $args | . as $list | .plugins[$i]
		| (.capabilities // {}) as $wants
		| ($args | with_entries(select($wants[.key] == true))) as $runtime
		| . + {name: $list.name, cniVersion: $list.cniVersion}
		| if $runtime == {} then . else .runtimeConfig = $runtime end
		| if $prev == null then . else .prevResult = $prev end' "$CHAIN_FILE"
}

# chain_call COMMAND INDEX PREVRESULT ID - one plugin; sets CHAIN_STATUS and
# CHAIN_ANSWER (its stdout).  The container is /run/netns/ID.
chain_call() {
	local conf

	conf=$(chain_conf "$2" "$3")
	CHAIN_STATUS=0
	CHAIN_ANSWER=$(printf '%s' "$conf" |
		CNI_COMMAND=$1 CNI_CONTAINERID=$4 CNI_NETNS=/run/netns/$4 CNI_IFNAME=eth0 \
			CNI_PATH=$CPLUG_BIN "$CPLUG_BIN/$(chain_type "$2")") || CHAIN_STATUS=$?
}

# chain_add ID COUNT - ADD of the first COUNT plugins; the result is in CHAIN_ANSWER
chain_add() {
	local i

	CHAIN_ANSWER=
	for ((i = 0; i < $2; i++)); do
		chain_call ADD "$i" "$CHAIN_ANSWER" "$1"
		((CHAIN_STATUS == 0)) || return 1
	done
}

# chain_del ID PREVRESULT - DEL of every plugin, in reverse; goes on after a failure
chain_del() {
	local i failed=0

	for ((i = CHAIN_LENGTH - 1; i >= 0; i--)); do
		chain_call DEL "$i" "$2" "$1"
		((CHAIN_STATUS == 0)) || failed=1
	done
	return "$failed"
}
