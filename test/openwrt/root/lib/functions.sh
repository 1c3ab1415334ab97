# Stand-in for OpenWrt's /lib/functions.sh: what init scripts and package scripts call, as conventions have it.

config_load() {
	CONFIG_PACKAGE="$1"
}

config_get() {
	local value
	value="$(uci -q get "$CONFIG_PACKAGE.$2.$3")"
	eval "$1=\"\${value:-\$4}\""
}

config_get_bool() {
	local text
	config_get text "$2" "$3" "$4"
	case "$text" in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	0 | off | false | no | disabled) eval "$1=0" ;;
	*) eval "$1=\"$4\"" ;;
	esac
}

add_group_and_user() {
	return 0
}

# The files of a package, by either package manager.
package_files() {
	cat "/usr/lib/opkg/info/$1.list" "/lib/apk/packages/$1.list" 2>/dev/null
}

default_postinst() {
	local name="${pkgname:-$(basename "${1%.*}")}" file
	for file in $(package_files "$name" | grep '^/etc/uci-defaults/'); do
		[ -f "$file" ] && (. "$file") && rm -f "$file"
	done
	uci commit
	[ -f "/usr/lib/opkg/info/$name.postinst-pkg" ] && (. "/usr/lib/opkg/info/$name.postinst-pkg")
	for file in $(package_files "$name" | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" enable
		"$file" start
	done
	return 0
}

default_prerm() {
	local name="${pkgname:-$(basename "${1%.*}")}" file
	[ -f "/usr/lib/opkg/info/$name.prerm-pkg" ] && (. "/usr/lib/opkg/info/$name.prerm-pkg")
	for file in $(package_files "$name" | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" disable
		"$file" stop
	done
	return 0
}
