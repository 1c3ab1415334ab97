
'require view';
'require kcp-router.lib as lib';

return view.extend(lib.page('settings'));
