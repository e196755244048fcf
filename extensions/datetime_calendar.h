// Calendar arithmetic of the datetime module: the proleptic Gregorian calendar, day 1 = 1 January of year 1.
//
// Days and dates convert by Howard Hinnant's method (chrono-compatible low-level date algorithms): years begin in March, so
// that the leap day is the last of its year, and 400 years are one era of 146097 days.
#pragma once

#include <cstdint>

namespace ext::dt {

constexpr int kMinYear = 1, kMaxYear = 9999;
constexpr int kMaxOrdinal = 3652059;
constexpr int kMaxDeltaDays = 999999999;
constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kMillion = 1000000;
constexpr int64_t kDayMicroseconds = kDaySeconds * kMillion;

struct Civil {
  int year, month, day;
};

constexpr bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

constexpr int days_in_month(int year, int month) {
  constexpr signed char kDays[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month];
}

constexpr int64_t ordinal_of(int year, int month, int day) {
  const int64_t y = int64_t{year} - (month <= 2);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(y - era * 400);
  const unsigned day_of_year = (153 * static_cast<unsigned>(month > 2 ? month - 3 : month + 9) + 2) / 5 + static_cast<unsigned>(day) - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 305;
}
constexpr int64_t ordinal_of(Civil c) { return ordinal_of(c.year, c.month, c.day); }

constexpr Civil civil_of(int64_t ordinal) {
  ordinal += 305;
  const int64_t era = (ordinal >= 0 ? ordinal : ordinal - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(ordinal - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  return {static_cast<int>(static_cast<int64_t>(year_of_era) + era * 400) + (month <= 2), month,
          static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1)};
}
static_assert(ordinal_of(1, 1, 1) == 1 && ordinal_of(9999, 12, 31) == kMaxOrdinal);
static_assert(civil_of(1).year == 1 && civil_of(kMaxOrdinal).day == 31);

// 0 is Monday.
constexpr int weekday_of(int64_t ordinal) { return static_cast<int>((ordinal + 6) % 7); }

// The ordinal of the Monday that begins ISO week 1 of the year.
constexpr int64_t iso_week1_monday(int year) {
  const int64_t first = ordinal_of(year, 1, 1);
  const int weekday = weekday_of(first);
  return first - weekday + (weekday > 3 ? 7 : 0);
}

struct IsoDate {
  int year, week, weekday;  // weekday: 1 is Monday
};
constexpr IsoDate iso_date_of(Civil c) {
  const int64_t ordinal = ordinal_of(c);
  int year = c.year;
  int64_t monday = iso_week1_monday(year);
  if (ordinal < monday) {
    monday = iso_week1_monday(--year);
  } else if (ordinal >= iso_week1_monday(year + 1)) {
    monday = iso_week1_monday(++year);
  }
  return {year, static_cast<int>((ordinal - monday) / 7) + 1, static_cast<int>((ordinal - monday) % 7) + 1};
}

// Floor division and its remainder.
template <typename T>
constexpr T floor_div(T a, T b, T* remainder) {
  T q = a / b, r = a % b;
  if (r != 0 && (r < 0) != (b < 0)) {
    --q;
    r += b;
  }
  *remainder = r;
  return q;
}

}  // namespace ext::dt
