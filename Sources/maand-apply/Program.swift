import ApplyCommands

@main
enum Program {
    static func main() async {
        MaandApply.makePrivate()
        await MaandApply.main()
    }
}
