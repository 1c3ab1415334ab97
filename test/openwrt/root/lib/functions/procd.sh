# Stand-in for procd's shell side. A request is a file of lines with tab-separated words; procd.ts answers with another.

PROCD_REQUESTS=/var/run/procd

# Sends standard input, prints the answer.
procd_request() {
	local file
	file="$(mktemp "$PROCD_REQUESTS/XXXXXX")"
	cat >"$file"
	mv "$file" "$file.request"
	while [ ! -e "$file.answer" ]; do sleep 0.01; done
	cat "$file.answer"
	rm -f "$file.answer"
}

procd_line() {
	local word line=""
	for word in "$@"; do line="$line${line:+	}$word"; done
	PROCD_MESSAGE="$PROCD_MESSAGE$line
"
}

procd_open_service() {
	PROCD_MESSAGE=""
	procd_line service "$1"
}

procd_close_service() {
	service_triggers
	printf '%s' "$PROCD_MESSAGE" | procd_request
}

procd_open_instance() {
	procd_line instance "${1:-instance1}"
}

procd_set_param() {
	procd_line param "$@"
}

procd_add_jail() {
	procd_line param jail "$@"
}

procd_close_instance() {
	return 0
}

procd_add_reload_trigger() {
	procd_line trigger "$1" "$initscript" reload
}

procd_running() {
	printf 'running\t%s\n' "$1" | procd_request | grep -q true
}

procd_kill() {
	printf 'delete\t%s\n' "$1" | procd_request
}

procd_status() {
	printf 'status\t%s\n' "$1" | procd_request
}
