-- Records of one caller or of one route, the newest first: without these, a rare one is looked for among all.
CREATE INDEX record_caller ON record (caller, began_ms, exchange);
CREATE INDEX record_route ON record (route, began_ms, exchange);

-- `record_page` begins with the same column and finds whatever this one found.
DROP INDEX record_began;
