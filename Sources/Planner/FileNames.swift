internal import JobFiles
internal import Model
internal import Windows
internal import YAML

/// Finds files of a workspace with a slip in their names. They are not read, so what they say would not hold: nothing would
/// be disabled, frozen or checked.
struct FileNames {
    let files: Files
    /// For messages.
    let workspace: String

    /// - Parameter settings: the file with the settings of jobs, by the bucket's configuration.
    func check(settings: String, into findings: inout Findings) {
        check(
            "", ["workers.json", "disabled.json", "bucket.conf", settings, ProvidedSecrets.file, FreezeFile.name],
            into: &findings)
        for (found, meant) in Suggestion.misspelt(names(in: ""), for: ["jobs"])
        where !names(in: found).isEmpty {
            findings.error(
                "\(workspace)/\(found)",
                "did you mean \(meant)? The jobs in this folder are not read, and would be removed",
                note: "rename the folder")
        }
    }

    /// The job's own files, and its folder with hooks.
    ///
    /// - Parameter path: of the job's folder.
    func check(ofJob path: String, into findings: inout Findings) {
        let names = Set(names(in: path))
        let hasMakefile = !names.isDisjoint(with: ["Makefile", "Makefile.tpl"])
        check(path, ["manifest.json"] + (hasMakefile ? [] : ["Makefile", "Makefile.tpl"]), into: &findings)
        guard names.isDisjoint(with: TreePath.hookFolders) else { return }
        for (found, meant) in Suggestion.misspelt(names, for: TreePath.hookFolders) {
            let hasHooks = self.names(in: "\(path)/\(found)").contains { file in
                file.hasPrefix("command_") || file.hasPrefix("hook_")
            }
            if hasHooks {
                findings.error(
                    "\(workspace)/\(path)/\(found)", "did you mean \(meant)? The hooks in this folder do not run",
                    note: "rename the folder")
            }
        }
    }

    private func check(_ path: String, _ known: [String], into findings: inout Findings) {
        for (found, meant) in files.misspelt(in: path, for: known) {
            findings.error(
                path.isEmpty ? "\(workspace)/\(found)" : "\(workspace)/\(path)/\(found)",
                "did you mean \(meant)? A file with this name is not read", note: "rename it, or move it elsewhere")
        }
    }

    private func names(in path: String) -> [String] {
        ((try? files.names(in: path)) ?? []).compactMap { String(validating: $0, as: UTF8.self) }
    }
}
