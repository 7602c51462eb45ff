/// The `Date` field's format (IMF-fixdate, RFC 9110 §5.6.7), which a server with a clock sends (§6.6.1).
package enum HTTPDate {
  /// 9999-12-31T23:59:59Z: the format has four digits for the year.
  package static let unixSecondsMax = 253_402_300_799

  /// `Sun, 06 Nov 1994 08:49:37 GMT`. Moments outside 1970–9999 become the nearest one inside.
  package static func text(unixSeconds: Int) -> String {
    let seconds = min(max(unixSeconds, 0), unixSecondsMax)
    let (days, secondOfDay) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civilDate(daysSince1970: days)
    let time = [secondOfDay / 3_600, secondOfDay / 60 % 60, secondOfDay % 60].map(twoDigits).joined(separator: ":")
    // 1 January 1970 was a Thursday.
    return "\(dayNames[(days + 4) % 7]), \(twoDigits(day)) \(monthNames[month - 1]) \(year) \(time) GMT"
  }

  private static let dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let monthNames = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func twoDigits(_ value: Int) -> String {
    value < 10 ? "0\(value)" : "\(value)"
  }

  /// The Gregorian date, reckoned in years that begin in March, so that the leap day is a year's last, and in eras of
  /// 400 years, which all have 146,097 days. 1970-01-01 is day 719,468 since 0000-03-01.
  private static func civilDate(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
    let (era, dayOfEra) = (daysSince1970 + 719_468).quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }
}
