-- Players, and a second table that keeps heights as they were last measured: to join it, or not.
CREATE TABLE club (club_id INTEGER PRIMARY KEY, name TEXT, city TEXT, founding_year INTEGER);
CREATE TABLE player (
  player_id INTEGER PRIMARY KEY,
  club_id INTEGER REFERENCES club (club_id),
  name TEXT,
  position TEXT,
  nationality TEXT,
  height INTEGER,
  goals INTEGER
);
CREATE TABLE player_height (player_id INTEGER PRIMARY KEY REFERENCES player (player_id), height INTEGER, year INTEGER);
INSERT INTO club VALUES (1, 'Redwharf', 'Porto', 1911), (2, 'Alder Park', 'Oslo', 1926), (3, 'Union Sur', 'Lima', 1948);
INSERT INTO player VALUES
  (1, 1, 'Ada Berg', 'keeper', 'Norway', 178, 0), (2, 1, 'Ines Prado', 'forward', 'Portugal', 169, 21),
  (3, 2, 'Mia Holt', 'forward', 'Norway', 174, 17), (4, 2, 'Lea Roth', 'defender', 'Norway', 181, 3),
  (5, 3, 'Rosa Quispe', 'midfield', 'Peru', 163, 9), (6, 3, 'Carla Nunez', 'defender', 'Peru', 171, 2);
INSERT INTO player_height VALUES (1, 179, 2025), (2, 168, 2025), (3, 176, 2024), (4, 183, 2025), (5, 164, 2024), (6, 171, 2025);
