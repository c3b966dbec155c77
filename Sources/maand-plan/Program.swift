import PlanCommands

@main
enum Program {
    static func main() async {
        MaandPlan.makePrivate()
        await MaandPlan.main()
    }
}
