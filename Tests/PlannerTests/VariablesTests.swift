import Model
import Planner
import Plans
import Testing
import YAML

@Suite struct VariablesTests {
    private func bucket(_ variables: [String: String] = [:]) throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.job("api", content: "b\n")
        bucket.catalog.jobs[try #require(JobName("api")), default: .init()].variables = variables
        return bucket
    }

    @Test func aChosenOrderCutsTheBatches() throws {
        let bucket = try bucket(["rollout_order": "w3, w1,w2"])
        let result = try bucket.plan()
        #expect(result.plan.batches(of: "api") == ["upgrade w3 | w1 | w2 (none)"])
        let job = try #require(result.plan.waves.first?.jobs.first)
        #expect(job.rolloutOrder == .keyValue)
        #expect(job.active.map(\.text) == ["w3", "w1", "w2"])
        #expect(result.warnings.isEmpty)
    }

    @Test(arguments: [
        ("w1,w2", "lacks w3"), ("w1,w2,w3,w4", "names w4, which is no active allocation of the job"),
        ("w1,w2,w3,w1", "names w1 twice"), (" , ", "is empty"),
    ])
    func anOrderThatDoesNotFitFallsBack(_ order: String, _ reason: String) throws {
        let result = try bucket(["rollout_order": order]).plan()
        #expect(result.plan.batches(of: "api") == ["upgrade w1 | w2 | w3 (none)"])
        #expect(result.plan.waves.first?.jobs.first?.rolloutOrder == .workers)
        #expect(result.warnings.map(\.file) == ["vars/job/api"])
        #expect(
            result.warnings.first?.message == "job api: `rollout_order` \(reason), so the order of workers.json is used"
        )
    }

    @Test func theJobsFileComesBeforeWhatIsStored() throws {
        let bucket = try bucket(["rollout_order": "w3,w1,w2"])
        try bucket.write("jobs/api/vars.toml", "rollout_order = \"w2,w1,w3\"\n")
        #expect(try bucket.plan().plan.batches(of: "api") == ["upgrade w2 | w1 | w3 (none)"])
    }

    @Test func theFactsHoldWhatHooksAreTold() throws {
        let bucket = try bucket()
        try bucket.write("bucket.conf", "port_min = \"30000\"\nenvironment = \"staging\"\nreplicas = 3\n")
        try bucket.write("bucket.jobs.conf", "[api]\nmemory = \"64 mb\"\nhint = \"x\"\n")
        try bucket.write("jobs/api/vars.toml", "flag = true\n")
        try bucket.write(
            "workers.json",
            #"""
            [{"host": "w1", "hostname": "node-a", "memory": "1 gb", "labels": ["db"], "tags": {"zone": "a"}},
             {"host": "w2", "memory": "1 gb", "labels": ["db"]}]
            """#)
        try bucket.write("disabled.json", #"{"jobs": {"api": {"allocations": ["w2"]}}}"#)
        try bucket.job("api", version: "v1.2", #""resources": {"ports": {"api_http": {}}}"#)
        let facts = try Planner.facts(try Workspace.read(bucket.folder, bucket.configuration), bucket.catalog)
        let api = try #require(JobName("api"))
        let w1 = try #require(WorkerName("w1"))
        func values(_ namespace: KVNamespace) -> [String: String] { facts.values(in: namespace, bucket: "b-1") ?? [:] }
        #expect(values(.bucketVariables) == ["port_min": "30000", "environment": "staging", "replicas": "3"])
        #expect(
            values(.bucket) == [
                "bucket_id": "b-1", "jobs": "api", "activejobs": "api", "active_jobs": "api", "api_http": "30000",
            ])
        // A port of this name was there before the key was, and a template may read it.
        var taken = facts
        taken.jobs[0].ports = [.init("active_jobs", 30001)]
        #expect(taken.values(in: .bucket, bucket: "b-1")?["active_jobs"] == "30001")
        #expect(values(.bucketJobVariables(api)) == ["memory": "64 mb", "hint": "x"])
        #expect(facts.job(api)?.variables == ["flag": "true"])
        #expect(values(.tags(w1)) == ["zone": "a"])
        let worker = values(.worker(w1))
        #expect(worker["hostname"] == "node-a")
        #expect(worker["worker_memory_mb"] == "1024")
        #expect(worker["db_peers"] == "w2")
        #expect(worker["jobs"] == "api")
        let job = values(.job(api))
        #expect(job["workers"] == "w1" && job["workers_length"] == "1" && job["rollout_order"] == "w1")
        #expect(job["version"] == "v1.2" && job["memory"] == "64" && job["max_memory_mb"] == "64")
        let allocation = values(.allocation(AllocationID(job: api, worker: w1)))
        #expect(allocation == ["api_allocation_index": "0", "peer_workers": "w2", "version": "v1.2"])
        #expect(values(.workers)["db_workers"] == "w1,w2")
    }

    @Test(arguments: [
        ("jobs/api/vars.toml", "a = [1]\n", "WS/jobs/api/vars.toml:1:1: error: `a` has to be a text in quotes"),
        ("jobs/api/vars.toml", "a =\n", "WS/jobs/api/vars.toml:1"),
        ("bucket.conf", "[a]\nb = 1\n", "WS/bucket.conf:1:2: error: `a` has to be a text in quotes"),
        ("bucket.jobs.conf", "[api]\nb = []\n", "WS/bucket.jobs.conf:2:1: error: [api]: `b` has to be a text"),
    ])
    func whatIsNoVariableIsAnError(_ path: String, _ text: String, _ expected: String) throws {
        let bucket = try bucket()
        try bucket.write(path, text)
        #expect(bucket.errors().contains(expected), "\(bucket.errors())")
    }
}
