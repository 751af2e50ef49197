// pg.js HOW PORT SQL: runs SQL by node's `pg`, as text or as a statement with a name, in the clear or over TLS.
const [how, port, sql] = process.argv.slice(2);
const { Client } = require(process.env.NODE_PG);
const ssl = how.startsWith('tls') ? { rejectUnauthorized: false } : false;
const client = new Client({ host: '127.0.0.1', port: +port, user: 'postgres', ssl });
const fail = (error) => { console.log('error:', error.message); process.exit(1); };
client.on('error', fail);
(async () => {
	await client.connect();
	const { rows } = await client.query('select $1::text as t', ['drop table users']);
	if (rows[0].t !== 'drop table users')
		throw new Error('another answer');
	await client.query(how.endsWith('named') ? { name: 'later', text: sql } : sql);
	console.log('done');
	await client.end();
})().catch(fail);
