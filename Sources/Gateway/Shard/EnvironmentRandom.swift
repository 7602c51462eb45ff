/// The environment's randomness, as the domain takes it.
struct EnvironmentRandom<Environment: GatewayEnvironment>: RandomNumberGenerator {
  let environment: Environment

  mutating func next() -> UInt64 { environment.randomBits() }
}
