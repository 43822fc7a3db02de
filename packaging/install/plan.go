package install

// Make plans the installation of a site: it names and fills the files, and looks at nothing on the machine. What is wrong with
// the site itself is a [Problem].
func Make(site Site, sys System) (Plan, error) {
	if err := checkName(site.Name); err != nil {
		return Plan{}, err
	}
	if err := checkValues(site, sys); err != nil {
		return Plan{}, err
	}
	var own []File
	planUnits := launchdPlan
	if sys.OS != "darwin" {
		planUnits = systemdPlan
		variables, err := variablesFile(site, sys)
		if err != nil {
			return Plan{}, err
		}
		own = append(own, variables)
	}
	if site.Certificate != nil {
		paths := sys.Paths(site.Name)
		own = append(own,
			File{Path: paths.Chain, Mode: 0o600, Text: site.Certificate.Chain, Secret: true, Renewed: true},
			File{Path: paths.Key, Mode: 0o600, Text: site.Certificate.Key, Secret: true, Renewed: true})
	}
	plan, err := planUnits(site, sys)
	if err != nil {
		return Plan{}, err
	}
	// The units come last: when one of them is there, so is what it names.
	plan.Files = append(own, plan.Files...)
	return plan, nil
}
