"""_datetime beyond CPython's own test_datetime: what C code sees, exact arithmetic at the ends, texts of errors."""
import copy
import datetime
import pickle
import sys
import threading
import unittest
from datetime import date, time, timedelta, timezone


class Durations(unittest.TestCase):
    def test_sums_of_floats_are_rounded_once_half_to_even(self):
        self.assertEqual(timedelta(microseconds=0.5), timedelta(0))
        self.assertEqual(timedelta(microseconds=1.5), timedelta(microseconds=2))
        self.assertEqual(timedelta(milliseconds=0.0005, microseconds=0.5), timedelta(microseconds=1))
        self.assertEqual(timedelta(days=1e-6, seconds=0.1), timedelta(microseconds=186400))

    def test_the_limits_hold_exactly(self):
        self.assertRaises(OverflowError, lambda: timedelta.max - timedelta.min)
        self.assertEqual(timedelta.max // timedelta.resolution, 86399999999999999999)
        self.assertEqual(timedelta(days=999999999, seconds=86399, microseconds=999999), timedelta.max)
        for factor in (10**30, -10**30):
            self.assertRaisesRegex(OverflowError, "Python int too large to convert to C int", lambda: timedelta(1) * factor)

    def test_division_rounds_to_the_nearest(self):
        self.assertEqual(timedelta(microseconds=5) / 2, timedelta(microseconds=2))
        self.assertEqual(timedelta(microseconds=7) / 2, timedelta(microseconds=4))
        self.assertEqual(timedelta(microseconds=-5) // 2, timedelta(microseconds=-3))
        self.assertEqual(divmod(timedelta(seconds=-1), timedelta(microseconds=7)), (-142858, timedelta(microseconds=6)))
        self.assertEqual(timedelta(hours=1) / 0.1, timedelta(hours=10))


class Calendar(unittest.TestCase):
    def test_ordinals_and_dates_are_inverse_over_the_whole_range(self):
        for ordinal in [1, 2, 365, 366, 3652059, *range(1, 3652059, 997)]:
            day = date.fromordinal(ordinal)
            self.assertEqual(day.toordinal(), ordinal)
            self.assertEqual(date.fromisocalendar(*day.isocalendar()) if day.year > 1 else day, day)
            self.assertEqual(day.isoweekday(), (ordinal - 1) % 7 + 1)

    def test_a_duration_of_all_days_does_not_overflow(self):
        for delta in (timedelta.max, timedelta.min):
            self.assertRaisesRegex(OverflowError, "date value out of range", lambda: datetime.datetime(1, 1, 1) + delta)
            self.assertRaisesRegex(OverflowError, "date value out of range", lambda: date(9999, 12, 31) - delta)


class Sharing(unittest.TestCase):
    def test_copies_and_pickles_of_aware_times_keep_fold_and_zone(self):
        zone = timezone(timedelta(hours=-3, minutes=-30), "NST")
        for value in (datetime.datetime(2020, 2, 29, 1, 2, 3, 4, zone, fold=1), time(1, 2, 3, 4, zone, fold=1)):
            for again in (copy.deepcopy(value), *(pickle.loads(pickle.dumps(value, p)) for p in (4, 5))):
                self.assertEqual((again, again.fold, again.tzinfo, repr(again)), (value, 1, zone, repr(value)))

    def test_threads_that_hash_one_object_agree(self):
        values = [datetime.datetime(2020, 1, 1, tzinfo=timezone.utc) + timedelta(hours=i) for i in range(200)]
        seen = []
        threads = [threading.Thread(target=lambda: seen.append([hash(v) for v in values])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(all(row == seen[0] for row in seen))

    def test_the_capsule_for_c_code_is_there(self):
        self.assertIn("datetime.datetime_CAPI", repr(datetime.datetime_CAPI))
        self.assertEqual(datetime.datetime.__module__, "datetime")
        self.assertTrue(sys.modules["_datetime"].date is date)


if __name__ == "__main__":
    unittest.main()
