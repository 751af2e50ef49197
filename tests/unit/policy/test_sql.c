#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/util.h"
#include "policy/sql.h"

static const char *const destructive[] = {
	"DROP TABLE users",
	"drop database shop;",
	"select 1; DROP SCHEMA public CASCADE",
	"TRUNCATE orders",
	"/* x */ truncate table a",
	"-- x\nDROP TABLE a",
	"# x\nDROP TABLE a",
	"ALTER TABLE users DROP COLUMN email",
	"ALTER TABLE users ADD a int, DROP b",
	"ALTER TABLE events DELETE WHERE 1=1",
	"DELETE FROM users",
	"DELETE FROM users;",
	"delete from users where true",
	"DELETE FROM users WHERE 1=1",
	"DELETE FROM users WHERE 1",
	"DELETE FROM users WHERE 'a' = 'a'",
	"DELETE FROM users -- WHERE id = 1",
	"DELETE FROM users # WHERE id = 1",
	"DELETE FROM users /* WHERE id = 1 */",
	"UPDATE users SET admin = true",
	"UPDATE users SET note = 'WHERE id = 1'",
	"UPDATE a SET x = (SELECT y FROM b WHERE z = 1)",
	"WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
	"WITH x AS (SELECT 1) DELETE FROM a",
	"EXPLAIN ANALYZE DELETE FROM a",
	"EXPLAIN (ANALYZE, BUFFERS) DELETE FROM a",
	"EXPLAIN ANALYZE VERBOSE DELETE FROM a",
	"EXPLAIN ANALYZE FORMAT=TREE DELETE FROM a",
	"ANALYZE FORMAT = JSON DELETE FROM a",
	"BEGIN; DELETE FROM a; COMMIT",
	"\xef\xbb\xbf"
	"DROP TABLE a",
	"ALTER TABLE a DISCARD TABLESPACE",
	"ALTER TABLE a DISCARD PARTITION p TABLESPACE",
	"DO $$ BEGIN DROP TABLE x; END $$",
	"DO $$ BEGIN EXECUTE 'DROP TABLE x'; END $$",
	"DO $$ BEGIN EXECUTE format('DROP TABLE %I', t); END $$",
	"EXECUTE IMMEDIATE 'DROP TABLE x'",
	"/*!50000 DROP TABLE x */",
	"select 'it''s'; drop table x",
	"select 'a\\'; drop table x",
	"select 'a\\''; drop table x; select ''",
	"\\c shop\nDROP TABLE x",
	"select 1 \\g drop table x",
	"DROP KEYSPACE shop",
	"((DELETE FROM a))",
	"PREPARE x AS DELETE FROM a",
	"/*! ' */ DROP TABLE x -- '",
	"PREPARE x (int) AS UPDATE a SET b = $1",
	"PREPARE x FROM 'DROP TABLE a'",
	"CREATE OR REPLACE TABLE a (b int)",
	"ALTER TABLE a TRUNCATE PARTITION p",
	"/* a /* b */ c */ DROP TABLE x",
	"/* a /* b */ DROP TABLE x",
	"/*M!100000 DROP TABLE x */",
	"select $\xc3\xa9$ ' $\xc3\xa9$; DROP TABLE x; --'",
	"DELETE FROM a WHERE 0<1",
	"DELETE FROM a WHERE 2 >= 1",
	"DELETE FROM a WHERE 1 <> 2",
	"DELETE FROM a WHERE 1 != 2",
	"DELETE FROM a WHERE 1.5 > 1.25",
	"DELETE FROM a WHERE 10 > 9",
	"DELETE FROM a WHERE '1' = 1",
	"DELETE FROM a WHERE 'a'<>'b'",
	"DELETE FROM a WHERE id=id",
	"DELETE FROM a WHERE ID = id",
	"DELETE FROM a WHERE a.id = a.id",
	"DELETE FROM a WHERE \"a\".\"id\" = \"a\".\"id\"",
	"DELETE FROM a WHERE id >= id",
	"DELETE FROM a WHERE `id` <=> `id`",
	"DELETE FROM a WHERE id IS NOT NULL",
	"DELETE FROM a WHERE NOT id IS NULL",
	"DELETE FROM a WHERE id > 0",
	"DELETE FROM a WHERE id > -1;",
	"DELETE FROM a WHERE id >= 1",
	"DELETE FROM a WHERE Id <> 0",
	"DELETE FROM a WHERE `id` != -1",
	"DELETE FROM a WHERE \"id\" > 0",
	"DELETE FROM a WHERE 0 < id",
	"DELETE FROM a WHERE id > '0'",
	"DELETE FROM a WHERE (id) >= 0 AND 1=1",
	"DELETE FROM a WHERE id + 1 > 0",
	"DELETE FROM a WHERE b = 5 OR id > 0",
	"DELETE FROM a WHERE NOT id < 1",
	"DELETE FROM a WHERE NOT id = 0",
	"UPDATE a SET b = 1 WHERE rowid > 0",
	"DELETE FROM a WHERE 1=1 OR id = 5",
	"DELETE FROM a WHERE id = 5 OR 1=1",
	"DELETE FROM a WHERE id IN (1, 2) OR (b = 2 AND c = 3) OR true",
	"DELETE FROM a WHERE id IS NOT NULL OR true",
	"DELETE FROM a WHERE id = 5 || 1=1",
	"DELETE FROM a WHERE 1 && 1=1",
	"DELETE FROM a WHERE NOT false",
	"DELETE FROM a WHERE NOT (1=2)",
	"DELETE FROM a WHERE NOT NOT true",
	"DELETE FROM a WHERE (1=1)",
	"DELETE FROM a WHERE ((1)=(1))",
	"DELETE FROM a WHERE (true)",
	"DELETE FROM a WHERE 1=1 AND 2>1",
	"DELETE FROM a WHERE 1=1 RETURNING *",
	"DELETE FROM a WHERE true ORDER BY id",
	"UPDATE a SET b = 1 WHERE 2>1;",
	"WITH x AS (DELETE FROM a WHERE 1=1 RETURNING *) SELECT * FROM x",
	"DO $$ BEGIN DELETE FROM a WHERE 0<1; END $$",
	"ALTER TABLE a DROP PARTITION p",
	"ALTER TABLE a DROP COLUMN index",
	"ALTER TABLE a DROP key",
	"ALTER TABLE a DROP key, ADD b int",
	"ALTER TABLE a DROP key CASCADE",
	"ALTER TABLE a DROP \"index\"",
	"ALTER TABLE a DROP CONSTRAINT c, DROP b",
	"DROP INDEX a; DROP TABLE b",
	"TRUNCATE index",
	"BEGIN NOT ATOMIC DROP TABLE x; END",
	"a: BEGIN NOT ATOMIC DROP TABLE x; END",
	"IF 1 THEN DROP TABLE x; END IF",
	"IF (SELECT 0) THEN SELECT 1; ELSEIF a THEN DELETE FROM x; END IF",
	"IF 0 THEN SELECT 1; ELSE TRUNCATE x; END IF",
	"IF a THEN IF b THEN DROP TABLE x; END IF; END IF",
	"CASE 1 WHEN 1 THEN SELECT 1; WHEN 2 THEN UPDATE x SET a = 1; ELSE SELECT 2; END CASE",
	"CASE WHEN a THEN DROP TABLE x; END CASE",
	"LOOP DROP TABLE x; END LOOP",
	"a: LOOP DROP TABLE x; LEAVE a; END LOOP",
	"WHILE a < 2 DO DROP TABLE x; END WHILE",
	"FOR i IN 1..2 DO DROP TABLE x; END FOR",
	"REPEAT DROP TABLE x; UNTIL 1 END REPEAT",
	"DO $$ BEGIN IF a THEN DROP TABLE x; END IF; END $$",
	"DO $$ BEGIN FOR r IN SELECT 1 LOOP DELETE FROM x; END LOOP; END $$",
	"DO $$ BEGIN a := 1; EXCEPTION WHEN others THEN TRUNCATE x; END $$",
	"SET @a = 'DROP TABLE x'; PREPARE s FROM @a; EXECUTE s",
	"SET @a := concat('drop table ', 'x'); EXECUTE IMMEDIATE @a",
	"SELECT 'drop table x' INTO @a; PREPARE s FROM @a",
	"SELECT concat(lower('drop table x')) INTO @a; PREPARE s FROM @a",
	"SELECT @a := 'delete from x'; PREPARE s FROM @a",
	"SET @a = (SELECT 'drop table x'); PREPARE s FROM @a",
	"BEGIN NOT ATOMIC DECLARE a TEXT DEFAULT 'drop table x'; EXECUTE IMMEDIATE a; END",
	"DECLARE @a nvarchar(20) = N'drop table x'; EXEC(@a)",
	"DO $$ DECLARE q text := 'drop table x'; BEGIN EXECUTE q; END $$",
	"DO $$ DECLARE q text; BEGIN q = 'drop table x'; EXECUTE q; END $$",
	"DO $$ DECLARE q text; BEGIN q := 'drop table x'; EXECUTE q; END $$",
	"PREPARE s FROM \"drop table x\"",
	"SELECT dblink_exec('dbname=a', 'drop table x')",
	"SELECT * FROM public.dblink('a', 'delete from x') AS t (a int)",
	"SELECT \"dblink_send_query\" ('a', 'truncate x')",
	"MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE",
	"MERGE INTO a USING (SELECT 1) AS b ON (1=1) WHEN MATCHED THEN DELETE",
	"MERGE INTO a USING b ON a.id = a.id WHEN NOT MATCHED THEN DO NOTHING WHEN MATCHED THEN "
	"DELETE;",
	"MERGE INTO a USING b ON a.id = b.id OR true WHEN MATCHED AND 1=1 THEN DELETE",
	"MERGE INTO a USING b ON 1=1 WHEN MATCHED AND c THEN UPDATE SET d = 1 WHEN MATCHED THEN "
	"DELETE",
	"MERGE INTO a USING b ON false WHEN NOT MATCHED BY SOURCE THEN DELETE",
	"MERGE INTO a USING source ON source.id = source.id WHEN MATCHED THEN DELETE",
	"WITH b AS (SELECT 1) MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE",
	"MERGE INTO a USING b ON CASE WHEN true THEN true END WHEN MATCHED THEN DELETE",
	"DELETE FROM a WHERE 1+1>1",
	"DELETE FROM a WHERE -(-1) > 0",
	"DELETE FROM a WHERE 2*3-5",
	"DELETE FROM a WHERE 7 % 2 = 1",
	"DELETE FROM a WHERE 1|0",
	"DELETE FROM a WHERE id+0=id",
	"DELETE FROM a WHERE a.id * 1 <= a.id + 0.0",
	"DELETE FROM a WHERE id-id=0",
	"DELETE FROM a WHERE id < id + 1",
	"DELETE FROM a WHERE id*0 = 0",
	"DELETE FROM a WHERE lower(id) = lower( id )",
	"DELETE FROM a WHERE (b, 1) = (b, 1)",
	"DELETE FROM a WHERE id BETWEEN id AND id",
	"DELETE FROM a WHERE 1 BETWEEN 0 AND 2",
	"DELETE FROM a WHERE 5 NOT BETWEEN 0 AND 2 AND 1=1",
	"DELETE FROM a WHERE b LIKE '%'",
	"DELETE FROM a WHERE b ILIKE '%%' ESCAPE '!'",
	"DELETE FROM a WHERE b ~~ '%'",
	"DELETE FROM a WHERE lower(b) LIKE '%_%'",
	"DELETE FROM a WHERE 1 IN (1)",
	"DELETE FROM a WHERE 'x' IN ('y', 'x')",
	"DELETE FROM a WHERE id IN (7, id)",
	"DELETE FROM a WHERE 1 NOT IN (2, 3)",
	"DELETE FROM a WHERE 1::bool",
	"DELETE FROM a WHERE 't'::boolean",
	"DELETE FROM a WHERE 'yes'",
	"DELETE FROM a WHERE '1'::numeric(3, 1) = 1",
	"DELETE FROM a WHERE id::text = id",
	"DELETE FROM a WHERE CAST(1 AS bool)",
	"DELETE FROM a WHERE CAST('1' AS double precision) > 0",
	"DELETE FROM a WHERE id IS NOT NULL OR id IS NULL",
	"DELETE FROM a WHERE (id IS NULL) OR b = 2 OR NOT id IS NULL",
	"DELETE FROM a WHERE id = 5 OR id <> 5",
	"DELETE FROM a WHERE id < 5 OR id >= 5",
	"DELETE FROM a WHERE b LIKE 'x' OR b NOT LIKE 'x'",
	"DELETE FROM a WHERE 1 IS NOT NULL",
	"DELETE FROM a WHERE NULL IS NULL",
	"DELETE FROM a WHERE true IS TRUE",
	"DELETE FROM a WHERE (1=2) IS NOT TRUE",
	"DELETE FROM a WHERE id IS NOT DISTINCT FROM id",
	"DELETE FROM a WHERE COALESCE(NULL, 1) = 1",
	"DELETE FROM a WHERE COALESCE(true, b)",
	"DELETE FROM a WHERE IF(1=1, 1, 0)",
	"DELETE FROM a WHERE CASE WHEN true THEN true END",
	"DELETE FROM a WHERE CASE WHEN id = 5 THEN 1 ELSE 1 END = 1",
	"DELETE FROM a WHERE CASE 1 WHEN 2 THEN false WHEN 1 THEN true ELSE false END",
	"DELETE FROM a WHERE CASE WHEN false THEN id = 5 ELSE 1=1 END RETURNING id",
	"DELETE FROM a WHERE length('abc') = 3",
	"DELETE FROM a WHERE b @> 'x' OR 1=1",
	"DELETE FROM a WHERE id IN (SELECT b FROM c WHERE d = 1) OR 1+0",
	"DELETE FROM a WHERE pg_catalog.abs(-1) > 0",
	"UPDATE a SET b = 1 WHERE (true = (1 = 1))",
	"IF 1=1 DROP TABLE x",
	"IF OBJECT_ID('x') IS NOT NULL TRUNCATE TABLE x",
	"IF EXISTS (SELECT 1) BEGIN DROP DATABASE x END",
	"WHILE 1=1 DROP TABLE x",
	"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION DROP TABLE x; SELECT nofn(); END",
	"BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1051, SQLSTATE '42S02' BEGIN DELETE FROM x; "
	"END; END",
	"BEGIN NOT ATOMIC DECLARE UNDO HANDLER FOR NOT FOUND IF 1 THEN TRUNCATE x; END IF; END",
	"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION FOR i IN 1..2 DO DROP TABLE x; END "
	"FOR; END",
};

/* As MySQL and MariaDB read them. */
static const char *const destructive_of_mysql[] = {
	"/*!99999 ' */ DROP TABLE x -- '",
	"/*!99999 ' */ /*!50000 DROP TABLE x */ -- '",
	"/*!999999 ' */ /*! DROP TABLE x */ -- '",
	"/*M!100100 ' */ /*!80000 DROP TABLE x */ -- '",
	"/*!80000 ' */ /*M!100100 DROP TABLE x */ -- '",
	"/*!80000 ' */ /*!100000 DROP TABLE x */ -- '",
	"/*!110000 ' */ /*!50000 select 1; */ /*!80000 DROP TABLE x */ -- '",
	"select 1 as $$; DROP TABLE x; -- $$",
	"select 1 #'\n; DROP TABLE x; -- '",
	"select 1 --\x01'\n; DROP TABLE x; -- '",
	"select 'a\\'b', '\xbf\\'; DROP TABLE x -- '",
	"PREPARE s FROM @a",
	"PREPARE s FROM @a; EXECUTE s",
	"EXECUTE IMMEDIATE @a USING @b",
	"EXECUTE IMMEDIATE concat('dr', 'op table x')",
	"EXECUTE IMMEDIATE 'dr' 'op table x'",
	"SET @a = concat('dr', 'op table x'); PREPARE s FROM @a",
	"SET @a = concat('alter table x dr', 'op b'); PREPARE s FROM @a",
	"SET @a = unhex('64726f70'); PREPARE s FROM @a",
	"SET @a = if(1, x'64726f70', 'select 1'); PREPARE s FROM @a",
	"SET @a = if(1, 0x64726f70, 'select 1'); PREPARE s FROM @a",
	"SELECT a INTO @a FROM b; PREPARE s FROM @a",
	"SET @a = 'select 1'; SET @a = @b; PREPARE s FROM @a",
	"SET @a = 'select 1'; PREPARE s FROM @b",
	"BEGIN NOT ATOMIC DECLARE a TEXT; EXECUTE IMMEDIATE a; END",
};

/* As SQL Server reads them. */
static const char *const destructive_of_mssql[] = {
	"SELECT 1 DROP TABLE x",
	"SELECT 1 DELETE FROM x",
	"DELETE FROM x SELECT * FROM b WHERE c = 1",
	"DELETE FROM x WHERE 1=1 SELECT 2",
	"DELETE FROM x WHERE 1=1 PRINT 'done'",
	"DELETE FROM x WHERE id = 5 DROP TABLE x",
	"UPDATE x SET a = 1 SELECT @@ROWCOUNT",
	"SET NOCOUNT ON DELETE FROM x",
	"USE shop TRUNCATE TABLE x",
	"SELECT 'a\\' DROP TABLE x --'",
	"SELECT 1\nGO\nDROP TABLE x",
	"CREATE PROC p AS SELECT 1\ngo\nDROP TABLE x",
	"IF 1=1 DELETE FROM x",
	"IF EXISTS (SELECT 1 FROM x) BEGIN UPDATE x SET a = 1 END",
	"WHILE 1=1 DELETE TOP (100) FROM x",
	"BEGIN TRY DELETE FROM x END TRY BEGIN CATCH PRINT 'no' END CATCH",
	"BEGIN TRAN DELETE FROM x COMMIT",
	"WITH c AS (SELECT * FROM x) DELETE FROM c",
	"GRANT SELECT ON x TO u DELETE FROM x",
	"ALTER TABLE x ADD b int DROP TABLE y",
	"ALTER TABLE x DROP COLUMN b",
	"CREATE TABLE y (a int REFERENCES x ON DELETE CASCADE) DELETE FROM x",
	"DECLARE @s nvarchar(max) = N'' SELECT @s += 'DROP TABLE ' + name FROM sys.tables EXEC(@s)",
	"DECLARE @s nvarchar(max) SET @s = 'drop table x' EXEC sp_executesql @s",
	"SELECT 1 EXEC('drop table x')",
	"EXEC(\"drop table x\")",
	"sp_MSforeachtable 'DROP TABLE ?'",
	"EXEC sp_executesql N'DELETE FROM x'",
	"DELETE FROM [dbo].[x]",
	"SELECT 1 /*!50000 a */ DROP TABLE x",
	"MERGE INTO a USING b ON 1=1 WHEN MATCHED THEN DELETE;",
};

static const char *const harmless_to_mssql[] = {
	"SELECT [drop table x], \"delete\" FROM [a]]; delete from b]",
	"SELECT 'it''s', 'DROP TABLE x' DELETE FROM x WHERE id = 5",
	"SET NOCOUNT ON DELETE FROM x WHERE id = 5 SELECT @@ROWCOUNT",
	"UPDATE x SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END WHERE id = 5",
	"DECLARE c CURSOR FOR SELECT a FROM x FOR UPDATE OF a",
	"ALTER TABLE x ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b ON DELETE SET NULL ON UPDATE "
	"CASCADE",
	"ALTER TABLE x DROP CONSTRAINT IF EXISTS c",
	"DROP INDEX IF EXISTS i ON x",
	"CREATE TRIGGER t ON x AFTER INSERT, UPDATE, DELETE AS SELECT 1",
	"CREATE OR ALTER PROCEDURE p AS DELETE FROM x WHERE id = 5 DELETE FROM #t",
	"GRANT SELECT, INSERT, UPDATE, DELETE ON x TO u",
	"DENY DELETE ON x TO u",
	"REVOKE UPDATE ON x FROM u",
	"UPDATE STATISTICS x",
	"MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET c = 1 WHEN NOT MATCHED "
	"BY "
	"SOURCE THEN DELETE;",
	"IF OBJECT_ID('x') IS NULL CREATE TABLE x (a int)",
	"DELETE FROM #work WHERE id = 5",
	"INSERT INTO a SELECT b FROM c",
	"SELECT a INTO b FROM c",
	"EXEC sp_rename 'a', 'b'",
	"sp_help 'x'",
};

static const char *const harmless_to_mysql[] = {
	"insert into a values ('\xe4\xbd\xa0\\n; drop table x')",
	"PREPARE s FROM 'select ?'; SET @a = 5; EXECUTE s USING @a",
	"EXECUTE IMMEDIATE 'select 1 '",
	"SET @a = 'select 1'; PREPARE s FROM @a",
	"SET @A := concat('ALTER TABLE ', @t, ' ADD b int'); PREPARE s FROM @a; EXECUTE s",
	"SET @a = (SELECT IF(count(*) > 0, 'SELECT 1', 'ALTER TABLE x ADD b int') FROM c WHERE "
	"d = 'x'); PREPARE s FROM @a; EXECUTE s; DEALLOCATE PREPARE s",
	"SELECT concat('INSERT INTO ', a) INTO @a FROM b; PREPARE s FROM @a",
	"SET @a = unhex('00'); SELECT @a = 'drop'",
};

static const char *const harmless[] = {
	"",
	";",
	"SELECT 1",
	"PREPARE x AS SELECT 1",
	"PREPARE x AS DELETE FROM a WHERE id = $1",
	"PREPARE x FROM 'SELECT 1'",
	"EXECUTE x",
	"CREATE OR REPLACE VIEW v AS SELECT 1",
	"CREATE TABLE a AS SELECT replace(b, 'x', 'y') FROM c",
	"--drop table x",
	"select count(*) from users",
	"SELECT 'DROP TABLE users'",
	"SELECT \"drop\" FROM a",
	"SELECT `drop` FROM a",
	"select $$ drop table x $$",
	"select $a$ ; drop table x; $a$",
	"-- DROP TABLE users",
	"/* DROP TABLE users; */ SELECT 1",
	"INSERT INTO log VALUES ('DELETE FROM users')",
	"INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1",
	"INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE x = 1",
	"SELECT * FROM a FOR UPDATE",
	"DELETE FROM users WHERE id = 5",
	"DELETE FROM #work WHERE id = 5",
	"UPDATE users SET a = a #- '{b}' WHERE id = 5",
	"DELETE FROM users WHERE id IN (1, 2)",
	"DELETE FROM users WHERE 1 = id",
	"UPDATE users SET a = 1 WHERE id = 2",
	"ALTER TABLE users ADD COLUMN email text",
	"ALTER TABLE users ALTER COLUMN a DROP NOT NULL",
	"CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE ON UPDATE CASCADE)",
	"GRANT DELETE ON a TO b",
	"EXPLAIN DELETE FROM a",
	"EXPLAIN VERBOSE DELETE FROM a",
	"ANALYZE VERBOSE a",
	"ANALYZE TABLE a UPDATE HISTOGRAM ON b",
	"ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT, UPDATE, DELETE ON TABLES TO b",
	"ALTER TABLE a ADD discard int",
	"EXPLAIN DROP TABLE a",
	"CREATE TRIGGER t AFTER DELETE ON a FOR EACH ROW EXECUTE FUNCTION f()",
	"drop",
	"truncate;",
	"delete",
	"update",
	"ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES b ON DELETE CASCADE",
	"\\dt",
	"\\d drop",
	"SHOW TABLES LIKE 'drop%'",
	"select it's; drop table x",
	"DELETE FROM a WHERE 1 < 0",
	"DELETE FROM a WHERE 9 > 10",
	"DELETE FROM a WHERE 'a' = 'b'",
	"DELETE FROM a WHERE 1=1 AND id = 5",
	"DELETE FROM a WHERE (1=1 OR b = 2) AND id = 5",
	"DELETE FROM a WHERE NOT true",
	"DELETE FROM a WHERE NOT id = 5",
	"DELETE FROM a WHERE NOT (1=1)",
	"DELETE FROM a WHERE id <> id",
	"DELETE FROM a WHERE a.id = b.id",
	"DELETE FROM a WHERE id = 'id'",
	"DELETE FROM a WHERE \"id\" = 'id'",
	"DELETE FROM a WHERE null = null",
	"DELETE FROM a WHERE b IS NOT NULL",
	"DELETE FROM a WHERE a_id IS NOT NULL",
	"DELETE FROM a WHERE b.id IS NOT NULL",
	"DELETE FROM a WHERE id IS NULL",
	"DELETE FROM a WHERE id > 1",
	"DELETE FROM a WHERE id >= 2",
	"DELETE FROM a WHERE id < 0",
	"DELETE FROM a WHERE id = 0",
	"DELETE FROM a WHERE id <> 1",
	"DELETE FROM a WHERE 0 > id",
	"DELETE FROM a WHERE id > 0 AND b = 2",
	"DELETE FROM a WHERE id > 1000 AND id <= 2000",
	"DELETE FROM a WHERE id > $1",
	"DELETE FROM a WHERE id > '00000000-0000-0000-0000-000000000000'",
	"DELETE FROM a WHERE count > 0",
	"DELETE FROM a WHERE id % 2 > -1 AND b",
	"DELETE FROM a WHERE id BETWEEN 1 AND 5",
	"DELETE FROM a WHERE f(1)",
	"DELETE FROM a WHERE b = 'x' || 'y'",
	"DELETE FROM a WHERE id IN (SELECT 1 FROM b WHERE 1=1)",
	"DELETE FROM a WHERE EXISTS (SELECT 1)",
	"DELETE FROM a WHERE id = (SELECT 1)",
	"DELETE FROM a WHERE (id) = (5)",
	"DELETE FROM a WHERE id = 5 RETURNING true",
	"DELETE FROM a WHERE -1 > 0",
	"UPDATE a SET b = true WHERE c = 1 AND d > 2",
	"DELETE FROM a WHERE 1+1 < 1",
	"DELETE FROM a WHERE id+1=id",
	"DELETE FROM a WHERE id - 1 = b",
	"DELETE FROM a WHERE id/2*2 = id",
	"DELETE FROM a WHERE random() <> random()",
	"DELETE FROM a WHERE random() < 0.1",
	"DELETE FROM a WHERE id BETWEEN 1 AND 5 AND b = 2",
	"DELETE FROM a WHERE id NOT BETWEEN id AND id",
	"DELETE FROM a WHERE b BETWEEN now() - INTERVAL '1 day' AND now()",
	"DELETE FROM a WHERE b < now() - INTERVAL 1 DAY LIMIT 5",
	"DELETE FROM a WHERE b < DATE '2020-01-01'",
	"DELETE FROM a WHERE b LIKE 'x%'",
	"DELETE FROM a WHERE b NOT LIKE '%'",
	"DELETE FROM a WHERE b LIKE '%x%' ESCAPE '!' OR b LIKE 'y'",
	"DELETE FROM a WHERE 1 IN (id, 2)",
	"DELETE FROM a WHERE (id, b) IN ((1, 2), (3, 4))",
	"DELETE FROM a WHERE id::text = '5'",
	"DELETE FROM a WHERE CAST(id AS text) = '5'",
	"DELETE FROM a WHERE id = '5'::uuid",
	"DELETE FROM a WHERE id = ANY($1::int[])",
	"DELETE FROM a WHERE id = ANY('{1,2}'::int[])",
	"DELETE FROM a WHERE id IS NULL OR b IS NOT NULL",
	"DELETE FROM a WHERE id = 5 OR id <> 6",
	"DELETE FROM a WHERE id < 5 OR id > 5",
	"DELETE FROM a WHERE 1 IS NULL OR id = 1",
	"DELETE FROM a WHERE ('abc' = '' OR b = 'abc')",
	"DELETE FROM a WHERE ($1 IS NULL OR b = $1)",
	"DELETE FROM a WHERE (? IS NULL OR b = ?) AND c = ?",
	"DELETE FROM a WHERE b = :name AND c = @c",
	"DELETE FROM a WHERE COALESCE(b, 1) = 1",
	"DELETE FROM a WHERE COALESCE(b, '') <> ''",
	"DELETE FROM a WHERE CASE WHEN id = 5 THEN true ELSE false END",
	"DELETE FROM a WHERE CASE b WHEN 'x' THEN 1 ELSE 0 END = 1",
	"DELETE FROM a WHERE CURRENT OF c",
	"DELETE FROM a WHERE b @> '{\"x\": 1}'",
	"DELETE FROM a WHERE b ->> 'x' = 'y' AND c ? 'd'",
	"DELETE FROM a WHERE b ~ '^x' AND c !~ 'y'",
	"DELETE FROM a WHERE flags & 4 = 4",
	"DELETE FROM a WHERE a.option = 1 AND settings = 2",
	"DELETE FROM a WHERE \"id\" > '5' AND \"deleted\" = 'f'",
	"DELETE FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.id = a.id)",
	"DELETE FROM a USING b WHERE a.id = b.a_id AND b.c IS TRUE",
	"UPDATE a SET n = n + 1 WHERE id = 5 AND n + 1 <= 10",
	"UPDATE a SET b = b WHERE lower(c) = lower('X')",
	"BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK; DELETE FROM a WHERE "
	"id = 1; END",
	"DROP INDEX a",
	"DROP INDEX IF EXISTS s.a",
	"DROP INDEX CONCURRENTLY a",
	"DROP INDEX a ON t",
	"ALTER TABLE a DROP CONSTRAINT c",
	"ALTER TABLE a DROP CONSTRAINT IF EXISTS \"c\" CASCADE",
	"ALTER TABLE a DROP INDEX b, ADD INDEX b (c)",
	"ALTER TABLE a DROP PRIMARY KEY",
	"ALTER TABLE a DROP FOREIGN KEY b",
	"BEGIN NOT ATOMIC DELETE FROM x WHERE id = 1; END",
	"IF a THEN SELECT drop; END IF",
	"IF drop = 1 THEN SELECT 1; END IF",
	"SELECT CASE WHEN a THEN delete ELSE drop END FROM b",
	"SELECT sum(CASE WHEN a THEN delete ELSE 0 END) FROM b",
	"UPDATE a SET b = CASE WHEN c THEN truncate(d, 2) ELSE 0 END WHERE id = 1",
	"INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
	"SET @a = 'drop table x'",
	"SET @a = 'delete from x where id = 1'; PREPARE s FROM @a; EXECUTE s",
	"INSERT INTO a VALUES ('drop table x'); EXECUTE s",
	"SELECT 'drop table x'; EXECUTE s",
	"SELECT dblink_exec('a', 'delete from x where id = 1'), 'drop table x'",
	"MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE",
	"MERGE INTO a USING b ON (a.id = b.id) WHEN MATCHED AND true THEN DELETE WHEN NOT MATCHED "
	"THEN INSERT VALUES (1)",
	"MERGE INTO a USING b ON true WHEN MATCHED AND a.id = b.id THEN DELETE",
	"MERGE INTO a USING b ON true WHEN MATCHED AND c OR d THEN DELETE",
	"MERGE INTO a USING b ON true WHEN MATCHED THEN UPDATE SET delete = 1",
	"MERGE INTO a USING b ON true WHEN NOT MATCHED BY SOURCE THEN DELETE",
	"MERGE INTO a USING b ON false WHEN MATCHED THEN DELETE",
	"MERGE INTO a USING source ON a.id = source.id WHEN MATCHED AND source.b = 1 THEN DELETE",
	"MERGE INTO a USING b ON a.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
};

static void test_destructive(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(destructive); i++)
		if (!sql_is_destructive(destructive[i], strlen(destructive[i]), SQL_ANY))
			fail_msg("missed: %s", destructive[i]);
		else if (!sql_may_be_destructive(destructive[i], strlen(destructive[i])))
			fail_msg("missed of any literals: %s", destructive[i]);
}

static void test_harmless(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (sql_is_destructive(harmless[i], strlen(harmless[i]), SQL_ANY))
			fail_msg("false alarm: %s", harmless[i]);
}

static void test_dialects(void **state _unused_)
{
	static const struct {
		const char *text;
		bool any, mysql, sqlite;
	} texts[] = {
		{ "select 1 # ; drop table x", true, false, true },
		{ "select 1 # a\n; drop table x", true, true, true },
		{ "select 'it\\'; drop table x; --'", true, false, true },
		{ "drop table x", true, true, true },
		{ "select '#'; drop table x", true, true, true },
		{ "select 1--1; drop table x", false, true, false },
		{ "select 1 -- 1; drop table x", false, false, false },
		{ "select 1 --", false, false, false },
		{ ".mode csv\nDROP TABLE x", false, false, true },
		{ "-- a\n.print it's\n.mode csv\n\nDELETE FROM x;", false, false, true },
		{ "select 1;\n.print ; drop table x", true, true, false },
		{ "select a\n.b; drop table x", true, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i].text);

		assert_true(sql_is_destructive(texts[i].text, len, SQL_ANY) == texts[i].any);
		assert_true(sql_is_destructive(texts[i].text, len, SQL_MYSQL) == texts[i].mysql);
		assert_true(sql_is_destructive(texts[i].text, len, SQL_SQLITE) == texts[i].sqlite);
	}
}

static void test_reads(void **state _unused_)
{
	static const char *const reads[] = {
		"select 1",
		"SELECT a FROM b WHERE c = 'delete'; show tables;",
		"\\dt",
		"\\l+",
		"explain analyze select 1",
		"with x as (select 1) select * from x",
		"(select 1) union (select 2)",
		"-- drop\nselect 1",
		"",
		"select 1\\G",
	};
	static const char *const other[] = {
		"delete from a where b = 1",
		"select 1; drop table x",
		"select * into y from x",
		"with x as (delete from a returning *) select 1",
		"\\! rm x",
		"\\copy a to b",
		"\\lo_unlink 1",
		"explain analyze delete from a",
		"select nextval('a')",
		"select dblink_exec('x')",
		"set global a = 1",
		"select 'open",
		"select 1 \\gexec",
		"/*!50000 drop table x */",
		"select 1 /*!99999 ' */; drop table x -- '",
		"select 1 \\o x",
		"call x()",
		"begin; select 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (!sql_only_reads(reads[i], strlen(reads[i])))
			fail_msg("reads: %s", reads[i]);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (sql_only_reads(other[i], strlen(other[i])))
			fail_msg("does more than read: %s", other[i]);
}

/* More parentheses than there is room for, and code in strings in code: no harm is done. */
static void test_depth(void **state _unused_)
{
	char text[512];

	memset(text, '(', sizeof(text));
	memcpy(text + sizeof(text) - 12, "DROP TABLE x", 12);
	sql_is_destructive(text, sizeof(text), SQL_ANY);
	memset(text, ')', 300);
	memcpy(text + 300, ";DROP TABLE x", 13);
	assert_true(sql_is_destructive(text, 313, SQL_ANY));
	memset(text, '(', sizeof(text));
	memcpy(text, "DELETE FROM a WHERE ", 20);
	memcpy(text + 200, "id=5", 4);
	memset(text + 204, ')', 180);
	assert_true(sql_is_destructive(text, 384, SQL_ANY)); /* which nobody reads */
}

static void test_mssql(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(destructive_of_mssql); i++)
		if (!sql_is_destructive(destructive_of_mssql[i], strlen(destructive_of_mssql[i]),
					SQL_MSSQL))
			fail_msg("destructive: %s", destructive_of_mssql[i]);
	for (size_t i = 0; i < ARRAY_SIZE(harmless_to_mssql); i++)
		if (sql_is_destructive(harmless_to_mssql[i], strlen(harmless_to_mssql[i]),
				       SQL_MSSQL))
			fail_msg("false alarm: %s", harmless_to_mssql[i]);
}

static void test_mysql(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(destructive_of_mysql); i++)
		if (!sql_is_destructive(destructive_of_mysql[i], strlen(destructive_of_mysql[i]),
					SQL_MYSQL))
			fail_msg("destructive: %s", destructive_of_mysql[i]);
	for (size_t i = 0; i < ARRAY_SIZE(harmless_to_mysql); i++)
		if (sql_is_destructive(harmless_to_mysql[i], strlen(harmless_to_mysql[i]),
				       SQL_MYSQL))
			fail_msg("false alarm: %s", harmless_to_mysql[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destructive), cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_dialects),    cmocka_unit_test(test_reads),
		cmocka_unit_test(test_depth),	    cmocka_unit_test(test_mysql),
		cmocka_unit_test(test_mssql),
	};

	return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
