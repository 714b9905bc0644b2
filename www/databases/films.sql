-- Films and where they were shown. "Rating" and "income" each have two columns that could be meant.
CREATE TABLE studio (studio_id INTEGER PRIMARY KEY, name TEXT, city TEXT, founding_year INTEGER);
CREATE TABLE film (
  film_id INTEGER PRIMARY KEY,
  studio_id INTEGER REFERENCES studio (studio_id),
  title TEXT,
  genre TEXT,
  critic_rating REAL,
  viewer_rating REAL,
  budget INTEGER
);
CREATE TABLE screening (
  screening_id INTEGER PRIMARY KEY,
  film_id INTEGER REFERENCES film (film_id),
  city TEXT,
  invited_visitors INTEGER,
  paying_visitors INTEGER
);
INSERT INTO studio VALUES
  (1, 'Lantern Works', 'Porto', 1961), (2, 'North Quay', 'Bergen', 1984), (3, 'Salt & Ink', 'Lima', 2003);
INSERT INTO film VALUES
  (1, 1, 'The Long Thaw', 'drama', 8.9, 6.2, 12), (2, 1, 'Paper Boats', 'comedy', 5.1, 8.4, 7),
  (3, 2, 'Harbour Lights', 'drama', 7.4, 7.9, 15), (4, 2, 'Eleven Owls', 'adventure', 6.0, 8.8, 40),
  (5, 2, 'A Quiet Ledger', 'drama', 9.2, 5.4, 3), (6, 3, 'Sugar Road', 'adventure', 6.8, 7.1, 22),
  (7, 3, 'Mister Fig', 'comedy', 7.0, 6.6, 5), (8, 3, 'Glass Orchard', NULL, 8.1, 8.1, 9);
INSERT INTO screening VALUES
  (1, 1, 'Porto', 120, 340), (2, 1, 'Lima', 40, 95), (3, 2, 'Porto', 60, 710), (4, 3, 'Bergen', 200, 515),
  (5, 4, 'Bergen', 90, 1280), (6, 4, 'Porto', 75, 990), (7, 5, 'Lima', 150, 60), (8, 6, 'Lima', 30, 420),
  (9, 7, 'Bergen', 25, 180), (10, 8, 'Porto', 110, 260);
