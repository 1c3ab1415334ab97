'use strict';
'require baseclass';
'require kcp-router.lib as lib';

return baseclass.extend(lib.widget());
