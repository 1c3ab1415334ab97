// The configuration for the settings page, with this session's unsaved changes and without the secret: rpcd's own
// `uci get` would hand the secret to every browser that may look. Works while the daemon is stopped.

'use strict';

import { cursor } from 'uci';

const PACKAGE = 'kcp-router';
const SECRETS = { network: [ 'secret' ] };

function settings(session) {
	const staged = match(session ?? '', /^[0-9a-f]{32}$/) ? `/var/run/rpcd/uci-${session}` : null;
	const uci = staged ? cursor(null, staged) : cursor();
	const sections = [];
	const secrets = [];

	for (let name, section in uci.get_all(PACKAGE) ?? {}) {
		const type = section['.type'];
		const values = {};

		for (let option, value in section) {
			if (substr(option, 0, 1) == '.')
				continue;

			if (option in (SECRETS[type] ?? []))
				push(secrets, `${type}.${option}`);
			else
				values[option] = value;
		}

		push(sections, { name, type, anonymous: !!section['.anonymous'], values });
	}

	return { sections, secrets };
}

return {
	'kcp-router-settings': {
		get: {
			args: { ubus_rpc_session: 'session' },
			call: (request) => settings(request.args.ubus_rpc_session)
		}
	}
};
