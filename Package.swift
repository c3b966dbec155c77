// swift-tools-version: 6.1
import PackageDescription

// `make fuzz`: our own code, and not that of others, tells libFuzzer which way it goes.
let isFuzzing = Context.environment["MAAND_FUZZ"] != nil

let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        // `@testable` in the release configuration, for our own code only: what others wrote is built once for both.
        .unsafeFlags(["-enable-testing"], .when(configuration: .release, traits: ["TestHooks"])),
    ] + (isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])] : [])

// What is under test is optimized, as users get it; the tests are not, which saves half of the time to build them.
let testSettings = settings + [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

// The readers of what others write.
let fuzzed: [Target.Dependency] = [
    "Approvals", "Model", "Planner", "Plans", "SSH", "Templates", "Windows", "Workers", "YAML",
]

// The arrows are the design; docs/architecture.md draws them. `maand-apply` cannot plan: neither the executor and the
// use cases, nor what its commands are made of, can see the planner.
let package = Package(
    name: "maand-rollout",
    products: [
        .executable(name: "maand-plan", targets: ["maand-plan"]),
        .executable(name: "maand-apply", targets: ["maand-apply"]),
    ],
    traits: [
        .trait(
            name: "TestHooks",
            description:
                "For tests only: places where the process dies, a clock that can be moved (MAAND_FAULT_*, MAAND_TIME_OFFSET)"
        )
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CPrctl"),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "YAML", dependencies: ["CYAML"], swiftSettings: settings),
        .target(name: "Model", dependencies: ["YAML", crypto], swiftSettings: settings),
        .target(name: "Windows", dependencies: ["Model", "YAML"], swiftSettings: settings),
        .target(name: "Plans", dependencies: ["Model", "Windows", "YAML", crypto], swiftSettings: settings),
        .target(name: "JobFiles", dependencies: ["Model", "Windows", "YAML"], swiftSettings: settings),
        .target(name: "Templates", dependencies: ["Model", "YAML"], swiftSettings: settings),
        .target(
            name: "Planner", dependencies: ["JobFiles", "Model", "Plans", "Templates", "Windows", "YAML"],
            swiftSettings: settings),
        .target(
            name: "Review", dependencies: ["Model", "Plans", "Templates", "Windows", "YAML"],
            swiftSettings: settings),
        .target(name: "Catalog", dependencies: ["Model", "Plans", "Windows", grdb], swiftSettings: settings),
        .target(
            name: "KeyValues", dependencies: ["Catalog", "Model", "Plans", "YAML", crypto], swiftSettings: settings),
        // Reads what Maand has recorded, and decides what is taken over of it. It writes nothing.
        .target(
            name: "MaandBucket", dependencies: ["Model", "Plans", crypto, grdb], swiftSettings: settings),
        .target(
            name: "HookAPI",
            dependencies: [
                "Catalog", "KeyValues", "Model", "Plans", "Windows", "YAML", crypto, nioCore, nioHTTP1, nioPosix,
            ],
            resources: [.embedInCode("Resources/maand.py")], swiftSettings: settings),
        .systemLibrary(name: "CSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"])]),
        .target(name: "SSH", dependencies: ["CSSH2", crypto, cryptoExtras], swiftSettings: settings),
        // What this process gets of its host: the time, the umask, and the places where a test may end it.
        .target(name: "ThisHost", dependencies: ["CPrctl", "Model"], swiftSettings: settings),
        // What can be asked of a worker. It sees no run and no catalog.
        .target(
            name: "Workers",
            dependencies: ["Model", "Plans", "SSH", "ThisHost", "Windows", "YAML", crypto, subprocess],
            resources: [.embedInCode("Resources/worker.sh")], swiftSettings: settings),
        // It decides by what it is given; the catalog and the workspace are read by those who use it.
        .target(
            name: "Approvals", dependencies: ["Model", "Plans", "Windows", "YAML", subprocess], swiftSettings: settings),
        // Decides what a run does next. It sees neither a catalog nor a worker.
        .target(name: "StepMachinery", dependencies: ["Model", "Plans"], swiftSettings: settings),
        // Looks at services from the controller. It holds no state.
        .target(
            name: "Probes", dependencies: ["Plans", nioCore, nioHTTP1, nioPosix], swiftSettings: settings),
        // Makes keys and certificates. It knows no job.
        .target(
            name: "Certificates", dependencies: ["Model", asn1, cryptoExtras, x509], swiftSettings: settings),
        // Asks those who keep values of secrets.
        .target(
            name: "SecretSources", dependencies: ["Model", "Plans", "Probes", subprocess], swiftSettings: settings),
        // Runs hooks on this host, each under a receipt as steps have them on workers.
        .target(
            name: "ControllerHooks",
            dependencies: [
                "Catalog", "HookAPI", "JobFiles", "KeyValues", "Model", "Plans", "ThisHost", "Workers",
            ],
            swiftSettings: settings),
        // Carries out what the step machine commands, and records it. It sees no approvals and no planner.
        .target(
            name: "Executor",
            dependencies: [
                "Catalog", "ControllerHooks", "HookAPI", "JobFiles", "KeyValues", "Model", "Plans", "Probes",
                "SecretSources", "StepMachinery", "Templates", "ThisHost", "Windows", "Workers",
            ],
            swiftSettings: settings),
        // Where programs begin: whether a run may go on, and with what. It sees everything that acts, and no planner.
        .target(
            name: "UseCases",
            dependencies: [
                "Approvals", "Catalog", "ControllerHooks", "Executor", "HookAPI", "JobFiles", "KeyValues",
                "MaandBucket",
                "Model", "Plans", "SSH", "SecretSources", "StepMachinery", "Templates", "ThisHost", "Windows",
                "Workers",
                "YAML",
            ],
            swiftSettings: settings),
        // What people are shown of a run: values, computed from what is recorded and from events. It does no input or output.
        .target(
            name: "RunViews",
            dependencies: ["Catalog", "Executor", "Model", "Plans", "StepMachinery", "Windows", "YAML"],
            swiftSettings: settings),
        // Under both programs, so without the planner.
        .target(
            name: "Commands",
            dependencies: [
                "Approvals", "Catalog", "Executor", "KeyValues", "Model", "Plans", "ThisHost", "UseCases", "Windows",
                "Workers", "YAML", argumentParser,
            ],
            swiftSettings: settings),
        // The one place where the planner and the executor meet.
        .target(
            name: "PlanCommands",
            dependencies: [
                "Approvals", "Catalog", "Certificates", "Commands", "Executor", "JobFiles", "KeyValues", "MaandBucket",
                "Model", "Planner", "Plans", "Review", "SSH", "SecretSources", "Templates", "ThisHost", "UseCases",
                "Windows",
                "Workers", "YAML", argumentParser,
            ],
            swiftSettings: settings),
        .target(
            name: "ApplyCommands",
            dependencies: [
                "Approvals", "Catalog", "Commands", "Executor", "Model", "Plans", "Review", "RunViews", "StepMachinery",
                "ThisHost", "UseCases", "Windows", "YAML", argumentParser,
            ],
            swiftSettings: settings),
        .executableTarget(name: "maand-plan", dependencies: ["PlanCommands"], swiftSettings: settings),
        .executableTarget(name: "maand-apply", dependencies: ["ApplyCommands"], swiftSettings: settings),
        .executableTarget(
            name: "ssh-bench", dependencies: ["Model", "Plans", "Workers"], path: "Benchmarks/ssh-bench",
            swiftSettings: settings),
        .target(
            name: "SimulatedWorkers", dependencies: ["Workers"], path: "Tests/SimulatedWorkers",
            swiftSettings: settings),
        .executableTarget(
            name: "rollout-bench",
            dependencies: [
                "Catalog", "Executor", "Model", "Plans", "RunViews", "SimulatedWorkers", "ThisHost", "UseCases",
                "Workers",
            ],
            path: "Benchmarks/rollout-bench", swiftSettings: settings),
        .testTarget(name: "DamagedInputTests", dependencies: fuzzed, swiftSettings: testSettings),
        .testTarget(name: "YAMLTests", dependencies: ["YAML"], swiftSettings: testSettings),
        .testTarget(
            name: "ModelTests", dependencies: ["Model"], swiftSettings: testSettings),
        .testTarget(
            name: "WindowsTests", dependencies: ["Model", "Plans", "Windows", "YAML"],
            exclude: ["cases.json", "make-cases.py"],
            swiftSettings: testSettings),
        .testTarget(
            name: "PlansTests", dependencies: ["Model", "Plans", "Windows", "YAML"], swiftSettings: testSettings),
        .testTarget(
            name: "PlannerTests", dependencies: ["JobFiles", "Model", "Planner", "Plans", "YAML"],
            exclude: ["golden.plan.yaml", "golden-hooks.plan.yaml"],
            swiftSettings: testSettings),
        .testTarget(
            name: "ReviewTests", dependencies: ["Model", "Plans", "Review", "Windows", "YAML"],
            swiftSettings: testSettings),
        .testTarget(
            name: "CatalogTests", dependencies: ["Catalog", "Model", "Plans", "YAML", grdb], swiftSettings: testSettings
        ),
        .testTarget(
            name: "KeyValuesTests", dependencies: ["Catalog", "KeyValues", "Model", "Plans"],
            swiftSettings: testSettings),
        .testTarget(
            name: "SecretSourcesTests", dependencies: ["Model", "Plans", "SecretSources"], swiftSettings: testSettings),
        .testTarget(
            name: "CertificatesTests", dependencies: ["Certificates", "Model", asn1, x509],
            swiftSettings: testSettings),
        .testTarget(
            name: "HookAPITests", dependencies: ["Catalog", "HookAPI", "KeyValues", "Model", "Plans"],
            swiftSettings: testSettings),
        .testTarget(
            name: "MaandBucketTests", dependencies: ["MaandBucket", "Model", "Plans", grdb],
            swiftSettings: testSettings),
        .testTarget(
            name: "TemplatesTests", dependencies: ["Model", "Templates", "YAML"], exclude: ["Go"],
            swiftSettings: testSettings),
        // What is made from code and committed: whether it is that of the code.
        .testTarget(
            name: "GeneratedTests", dependencies: ["Approvals", "Planner", "Plans", "Review"],
            swiftSettings: testSettings),
        .target(name: "FleetScript", path: "Tests/FleetScript", swiftSettings: testSettings),
        .testTarget(name: "SSHTests", dependencies: ["SSH", "FleetScript"], swiftSettings: testSettings),
        .testTarget(
            name: "WorkersTests", dependencies: ["FleetScript", "Model", "Plans", "Workers", crypto],
            swiftSettings: testSettings),
        .testTarget(name: "ApprovalsTests", dependencies: ["Approvals", "Model", "YAML"], swiftSettings: testSettings),
        .testTarget(
            name: "CommandsTests",
            dependencies: [
                "Approvals", "Catalog", "Commands", "Executor", "Model", "Plans", "UseCases", "YAML", argumentParser,
            ],
            swiftSettings: testSettings),
        .testTarget(
            name: "ExecutorTests",
            dependencies: [
                "Approvals", "Catalog", "ControllerHooks", "Executor", "Model", "Plans", "RunViews", "SimulatedWorkers",
                "StepMachinery", "ThisHost", "UseCases", "Windows", "Workers", "YAML",
            ],
            swiftSettings: testSettings),
    ]
)

// The target needs libFuzzer, so it is there only where it is asked for: `make fuzz`. It has the readers of a test target,
// whose files can be in one target only.
if isFuzzing {
    package.targets.removeAll { $0.name == "DamagedInputTests" }
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: fuzzed, path: "Tests",
            sources: ["fuzz/Fuzz.swift", "DamagedInputTests/FuzzTargets.swift", "DamagedInputTests/TextTargets.swift"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
