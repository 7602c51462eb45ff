// swift-tools-version: 6.2
import PackageDescription

/// As strict as the gateway's, but for strict memory safety: the load generator talks to servers that we start
/// ourselves, and marking its buffers would hide its logic.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A package of its own, so that nothing measured here is ever built with the gateway.
let package = Package(
  name: "benchmarks",
  targets: [
    // DWARF 4: valgrind of Debian 12 does not read what clang writes for C by default.
    .executableTarget(name: "ceiling", path: "Sources/Ceiling", cSettings: [.unsafeFlags(["-O3", "-gdwarf-4"])]),
    .target(name: "CLoadShim", path: "Sources/CLoadShim"),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib"),
    .executableTarget(
      name: "load", dependencies: ["CLoadShim", "CZlib"], path: "Sources/Load", swiftSettings: settings),
  ]
)
