// request.js HOW METHOD URL [BODY]: a request by node's own fetch, or by its module of the scheme.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = 0;
process.removeAllListeners('warning');
const [how, method, url, body] = process.argv.slice(2);
const headers = body ? { 'Content-Type': 'application/json' } : {};
const fail = (error) => { console.log('error:', (error.cause || error).message); process.exit(1); };
if (how === 'fetch')
	fetch(url, { method, body, headers }).then((r) => console.log('done', r.status), fail);
else
	require(url.split(':')[0]).request(url, { method, headers, agent: false }, (r) => console.log('done', r.statusCode) || r.resume())
		.on('error', fail).end(body);
