#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/code.h"

static void add_values(struct strbuf *out, const struct code_values *v, const char *before)
{
	for (u32 i = 0; i < v->count; i++)
		strbuf_addf(out, "%s%s", i ? "|" : before, v->all[i]);
}

/* name(VALUE|VALUE,key=value), ? for what is not known */
static bool collect(void *data, const struct code_call *call)
{
	struct strbuf *out = data;

	strbuf_addf(out, "%s%s(", out->len ? " " : "", call->name);
	add_values(out, &call->values, "");
	strbuf_adds(out, call->values.unknown ? "?" : "");
	add_values(out, &call->named, ",");
	strbuf_adds(out, ")");
	return false;
}

static void expect(enum code_language language, const char *text, const char *calls)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct code code;

	assert_int_equal(code_read(language, text, &code), 0);
	assert_false(code_each_call(&code, collect, &out));
	code_free(&code);
	assert_string_equal(strbuf_str(&out), calls);
}

#define PYTHON(text, calls) expect(CODE_PYTHON, text, calls)
#define JS(text, calls)	    expect(CODE_JAVASCRIPT, text, calls)
#define PERL(text, calls)   expect(CODE_PERL, text, calls)
#define RUBY(text, calls)   expect(CODE_RUBY, text, calls)
#define PHP(text, calls)    expect(CODE_PHP, text, calls)

static void test_python(void **state _unused_)
{
	PYTHON("import shutil; shutil.rmtree('/srv')", "shutil.rmtree(/srv)");
	PYTHON("import shutil as s, os\ns.rmtree('a'+'b'); os.remove(x)",
	       "shutil.rmtree(ab) os.remove(?)");
	PYTHON("from shutil import rmtree as r, move; r('/etc'); move('a', 'b')",
	       "shutil.rmtree(/etc) shutil.move(a|b)");
	PYTHON("__import__('os').remove(r'a\"b')", "os(os) os.remove(a\"b)");
	PYTHON("print('shutil.rmtree(x)') # os.remove('a')", "print(shutil.rmtree(x))");
	PYTHON("d='/srv'; f=d+'/x'; open(f, mode='w')", "open(/srv/x,mode=w)");
	PYTHON("[os.unlink(f) for f in glob.glob('/data/*')]",
	       "os.unlink(/data/*) glob.glob(/data/*)");
	PYTHON("import pathlib\np=pathlib.Path('/etc')\n(p/'x').unlink()",
	       "pathlib.Path(/etc) unlink(/etcx)");
	PYTHON("Path('/etc/hosts').unlink()", "Path(/etc/hosts) Path.unlink(/etc/hosts)");
	PYTHON("os.path.join('/srv', x, \"\"\"a\nb\"\"\")", "os.path.join(/srv|a\nb?)");
	PYTHON("f(f'/home/{user}/x', *a, **b)", "f(/home/$/x?)");
	PYTHON("c = boto3.client('ec2'); c.terminate_instances(InstanceIds=['i'])",
	       "boto3.client(ec2) boto3.client.terminate_instances(,InstanceIds=i)");
	PYTHON("with tempfile.TemporaryDirectory() as d: shutil.rmtree(d)",
	       "tempfile.TemporaryDirectory(?) shutil.rmtree(/tmp/x)");
	PYTHON("def rmtree(p): pass", "");
	PYTHON("list(map(os.remove, ['a', 'b']))", "list(a|b?) map(a|b?) os.remove(a|b)");
	PYTHON("os.kill(-1, 9)", "os.kill(-1|9)");
}

static void test_javascript(void **state _unused_)
{
	JS("require('fs').rmSync('/srv',{recursive:true})",
	   "fs(fs) fs.rmSync(/srv,recursive=true)");
	JS("const {rmSync: r, rm} = require('node:fs'); r(`/a/${b}`); rm()",
	   "fs(node:fs) fs.rmSync(/a/$) fs.rm(?)");
	JS("import fs, {rm as x} from 'fs/promises'; x('a'); fs.rm('b')",
	   "from(fs/promises) fs.promises.rm(a) fs.promises.rm(b)");
	JS("const fs = require('fs'); fs.promises.rm('a'); fs['rmSync']('b')",
	   "fs(fs) fs.promises.rm(a) fs.rmSync(b)");
	JS("fs.readdirSync('/srv').forEach(f => fs.unlinkSync('/srv/' + f))",
	   "fs.readdirSync(/srv) fs.readdirSync.forEach(/srv$) fs.unlinkSync(/srv//srv)");
	JS("/* rmSync('a') */ x = /rmSync\\('b'\\)/ // rmSync('c')\n", "");
	JS("fs.rmSync(path.join(__dirname,'dist'))", "fs.rmSync($/dist) path.join(dist?)");
	JS("prisma.user.deleteMany({})", "prisma.user.deleteMany()");
	JS("new PrismaClient().user.deleteMany({where:{id:1}})",
	   "PrismaClient(?) PrismaClient.user.deleteMany(,id=1|where=)");
	JS("prisma.$executeRaw`DROP TABLE x`", "prisma.$executeRaw(DROP TABLE x)");
	JS("await Bun.$`ls`", "Bun.$(ls)");
	JS("['a','b'].forEach(fs.unlinkSync)", "forEach(?) fs.unlinkSync(a|b)");
}

static void test_perl(void **state _unused_)
{
	PERL("unlink glob('/srv/*')", "unlink(/srv/*) glob(/srv/*)");
	PERL("unlink \"/home/dev/shop.db\" if 1; print \"unlink x\"",
	     "unlink(/home/dev/shop.db) if(1) print(unlink x)");
	PERL("use File::Path qw(remove_tree); remove_tree('/srv')",
	     "use(?) File.Path(remove_tree) remove_tree(/srv)");
	PERL("my $d='/srv'; File::Path::rmtree(\"$d/x\", 1)",
	     "my(,$d=/srv) File.Path.rmtree($/x|1)");
	PERL("unlink </srv/*>; $a < $b", "unlink(/srv/*)");
	PERL("s/unlink/remove/; system('rm', '-rf', q(/x)); `ls`", "system(rm|-rf|/x) `(ls)");
	PERL("DBI->connect('dbi:Pg')->do('DROP TABLE x')",
	     "DBI.connect(dbi:Pg) DBI.connect.do(DROP TABLE x)");
}

static void test_ruby(void **state _unused_)
{
	RUBY("FileUtils.rm_rf('/srv')", "FileUtils.rm_rf(/srv)");
	RUBY("FileUtils.rm_rf \"/srv\"; puts 'rm_rf x'", "FileUtils.rm_rf(/srv) puts(rm_rf x)");
	RUBY("Pathname('src').rmtree", "Pathname(src) Pathname.rmtree(src)");
	RUBY("Dir.glob('/srv/*').each { |f| File.delete(f) }",
	     "Dir.glob(/srv/*) Dir.glob.each(/srv/*) f(?) File.delete(/srv/*) f(?)");
	RUBY("Cart.delete_all # Cart.destroy_all", "Cart.delete_all(?)");
}

static void test_php(void **state _unused_)
{
	PHP("unlink('/var/www/' . $x);", "unlink(/var/www/$)");
	PHP("array_map('unlink', glob(\"/srv/*\"));",
	    "array_map(unlink|/srv/*) unlink(/srv/*) glob(/srv/*)");
	PHP("foreach (glob('/srv/*') as $f) { unlink($f); }",
	    "foreach(/srv/*$/srv/*) glob(/srv/*) as(/srv/*) unlink(/srv/*)");
	PHP("(new PDO('sqlite:x'))->exec('DROP TABLE y'); echo 'unlink(1)';",
	    "new(?) PDO(sqlite:x) exec(DROP TABLE y) echo(unlink(1))");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python), cmocka_unit_test(test_javascript),
		cmocka_unit_test(test_perl),   cmocka_unit_test(test_ruby),
		cmocka_unit_test(test_php),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
