-- Museums in two tables of the same shape: a question about "museums" may mean either.
CREATE TABLE country (country_id INTEGER PRIMARY KEY, name TEXT, continent TEXT);
CREATE TABLE art_museum (
  museum_id INTEGER PRIMARY KEY,
  country_id INTEGER REFERENCES country (country_id),
  name TEXT,
  city TEXT,
  opening_year INTEGER,
  visitors INTEGER,
  ticket_price REAL
);
CREATE TABLE rail_museum (
  museum_id INTEGER PRIMARY KEY,
  country_id INTEGER REFERENCES country (country_id),
  name TEXT,
  city TEXT,
  opening_year INTEGER,
  visitors INTEGER,
  ticket_price REAL
);
INSERT INTO country VALUES (1, 'Norway', 'Europe'), (2, 'Japan', 'Asia'), (3, 'Peru', 'South America');
INSERT INTO art_museum VALUES
  (1, 1, 'Fjord Gallery', 'Oslo', 1938, 210000, 14.0), (2, 1, 'House of Prints', 'Bergen', 1977, 48000, 9.5),
  (3, 2, 'Pine Pavilion', 'Kyoto', 1952, 365000, 11.0), (4, 3, 'Museum of Clay', 'Lima', 1990, 87000, 6.0),
  (5, 3, 'Sala Azul', 'Cusco', 2011, 31000, 4.5);
INSERT INTO rail_museum VALUES
  (1, 1, 'Steam Shed', 'Oslo', 1964, 52000, 8.0), (2, 2, 'Line Nine', 'Kyoto', 1972, 530000, 10.0),
  (3, 2, 'Night Train Hall', 'Osaka', 2016, 415000, 12.5), (4, 3, 'Andes Rail House', 'Cusco', 1987, 76000, 5.0);
