// swift-tools-version: 6.2
import PackageDescription

/// Strict everywhere: Swift 6 language mode, every unsafe expression marked, no warning survives.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // A shard's state has one owner, so dynamic exclusivity checks buy nothing in release
  // (measured: docs in speed notes, up to -45 % instructions in class-based code).
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let package = Package(
  name: "signalbox",
  products: [.executable(name: "signalbox", targets: ["signalbox"])],
  targets: [
    // DWARF 4: valgrind of Debian 12, which counts instructions in the gates, does not read clang's default.
    .target(name: "CEpollShim", path: "Sources/CEpollShim", cSettings: [.unsafeFlags(["-gdwarf-4"])]),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CCrypto", path: "Sources/CCrypto", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CSQLite", path: "Sources/CSQLite", pkgConfig: "sqlite3"),
    .target(name: "Protocol", dependencies: ["CZlib", "CCrypto"], path: "Sources/Protocol", swiftSettings: strict),
    .target(
      name: "GatewayDomain", dependencies: ["Protocol"], path: "Sources/Gateway/Domain", swiftSettings: strict),
    .target(
      name: "Gateway", dependencies: ["Protocol", "GatewayDomain", "CEpollShim", "CSQLite"], path: "Sources/Gateway",
      exclude: ["Domain", "Dashboard/assets"], swiftSettings: strict),
    .executableTarget(name: "signalbox", dependencies: ["Gateway"], path: "Sources/signalbox", swiftSettings: strict),
    .testTarget(
      name: "ProtocolTests", dependencies: ["Protocol", "CCrypto"], path: "Tests/ProtocolTests", swiftSettings: strict),
    .testTarget(
      name: "DomainTests", dependencies: ["GatewayDomain", "Protocol"], path: "Tests/DomainTests",
      swiftSettings: strict),
    .testTarget(
      name: "GatewayTests", dependencies: ["Gateway", "GatewayDomain", "Protocol", "CEpollShim", "CSQLite"],
      path: "Tests/GatewayTests", swiftSettings: strict),
  ]
)

// `make simulate` runs the simulation by thousands, optimised: then it is the only test target, for the others take long to
// optimise.
if Context.environment["SIGNALBOX_SIMULATE"] != nil {
  package.targets.removeAll { $0.type == .test }
  package.targets.append(
    .testTarget(
      name: "SimulationTests", dependencies: ["Gateway", "GatewayDomain", "Protocol", "CEpollShim"],
      path: "Tests/GatewayTests", sources: ["Support", "Simulation"], swiftSettings: strict))
}

// Microbenchmarks are no part of what is built, tested or released: they are there where `make micro` asks. They compile the
// gateway's files (a symbolic link) into their own module, so that generics are specialised as in the gateway itself.
if Context.environment["SIGNALBOX_MICRO"] != nil {
  package.products.append(.executable(name: "microbenchmarks", targets: ["microbenchmarks"]))
  package.targets += [
    .target(
      name: "CMicroFloor", dependencies: ["CZlib", "CCrypto"], path: "Benchmarks/Micro/CMicroFloor",
      // DWARF 4: valgrind of Debian 12 does not read what clang writes for C by default.
      cSettings: [.unsafeFlags(["-O3", "-gdwarf-4"])]),
    .executableTarget(
      name: "microbenchmarks", dependencies: ["Protocol", "GatewayDomain", "CEpollShim", "CSQLite", "CMicroFloor"],
      path: "Benchmarks/Micro/Sources", exclude: ["Gateway/Domain", "Gateway/Dashboard/assets"],
      // Without strict memory safety: the subjects' buffers live as long as the process.
      swiftSettings: [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
      ]),
  ]
}
