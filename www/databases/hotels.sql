-- Hotels with two prices and two names, bookings with two years: several questions have two readings.
CREATE TABLE region (region_id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE hotel (
  hotel_id INTEGER PRIMARY KEY,
  region_id INTEGER REFERENCES region (region_id),
  hotel_name TEXT,
  owner_name TEXT,
  city TEXT,
  summer_price INTEGER,
  winter_price INTEGER,
  rooms INTEGER
);
CREATE TABLE booking (
  booking_id INTEGER PRIMARY KEY,
  hotel_id INTEGER REFERENCES hotel (hotel_id),
  guest TEXT,
  booking_year INTEGER,
  arrival_year INTEGER,
  nights INTEGER
);
INSERT INTO region VALUES (1, 'Coast', 'Portugal'), (2, 'Highlands', 'Norway'), (3, 'Valley', 'Peru');
INSERT INTO hotel VALUES
  (1, 1, 'Mar Alto', 'Jan Novak', 'Porto', 160, 70, 80), (2, 1, 'Casa Verde', 'Ines Prado', 'Porto', 95, 60, 22),
  (3, 2, 'Snow Lodge', 'Ada Berg', 'Lillehammer', 90, 210, 64), (4, 2, 'Fjordheim', 'Lea Roth', 'Bergen', 180, 120, 110),
  (5, 3, 'Posada del Sol', 'Rosa Quispe', 'Cusco', 55, 65, 18), (6, 3, 'Llama Inn', 'Ada Berg', 'Lima', 40, 40, 30);
INSERT INTO booking VALUES
  (1, 1, 'M. Costa', 2024, 2025, 7), (2, 1, 'I. Lang', 2025, 2025, 3), (3, 3, 'J. Moe', 2024, 2025, 5),
  (4, 4, 'K. Sato', 2025, 2026, 2), (5, 5, 'M. Costa', 2023, 2024, 10), (6, 5, 'P. Silva', 2025, 2025, 4), (7, 2, 'J. Moe', 2025, 2026, 1);
