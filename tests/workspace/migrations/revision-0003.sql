PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE activity (
	number INTEGER NOT NULL, 
	created VARCHAR NOT NULL, 
	who VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	details VARCHAR NOT NULL, 
	PRIMARY KEY (number)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0003');
CREATE TABLE models (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	model VARCHAR NOT NULL, 
	plugin VARCHAR NOT NULL, 
	rows INTEGER NOT NULL, 
	columns INTEGER NOT NULL, 
	source VARCHAR NOT NULL, 
	seconds DOUBLE NOT NULL, 
	summary JSON NOT NULL, 
	status VARCHAR NOT NULL, 
	created VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, who VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name, version)
);
INSERT INTO models VALUES(1,'small',1,'linear','autoencoders',60,3,'table.csv',0.5,'{"columns": ["colour"]}','done','2026-11-30T14:54:21+00:00','models/small/1','');
CREATE TABLE reviews (
	number INTEGER NOT NULL, 
	action INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	"row" INTEGER NOT NULL, 
	part VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	who VARCHAR NOT NULL, 
	created VARCHAR NOT NULL, 
	undone VARCHAR NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO reviews VALUES(1,1,'0001-score',4,'state','false alarm','ann','2026-11-30T14:54:22+00:00','');
INSERT INTO reviews VALUES(2,1,'0001-score',4,'comment','it''s as expected','ann','2026-11-30T14:54:22+00:00','');
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	id VARCHAR NOT NULL, 
	verb VARCHAR NOT NULL, 
	model VARCHAR, 
	source VARCHAR NOT NULL, 
	seconds DOUBLE NOT NULL, 
	summary JSON NOT NULL, 
	status VARCHAR NOT NULL, 
	created VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, who VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO runs VALUES(1,'0001-score','score','small@1','table.csv',0.25,'{"alerts": 3}','done','2026-11-30T14:54:22+00:00','runs/0001-score','');
CREATE TABLE tag_moves (
	number INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	"before" INTEGER, 
	"after" INTEGER, 
	who VARCHAR NOT NULL, 
	created VARCHAR NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO tag_moves VALUES(1,'small','champion',NULL,1,'ann','2026-11-30T14:54:21+00:00');
CREATE TABLE tags (
	name VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (name, tag)
);
INSERT INTO tags VALUES('small','champion',1);
CREATE TABLE workspace (
	format INTEGER NOT NULL, 
	PRIMARY KEY (format)
);
INSERT INTO workspace VALUES(2);
CREATE TABLE decisions (
	action INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	value VARCHAR, 
	lines BLOB NOT NULL, 
	who VARCHAR NOT NULL, 
	created VARCHAR NOT NULL, 
	undone VARCHAR NOT NULL, 
	PRIMARY KEY (action)
);
CREATE INDEX ix_reviews_action ON reviews (action);
CREATE INDEX ix_reviews_run ON reviews (run);
CREATE INDEX ix_decisions_run ON decisions (run);
COMMIT;
