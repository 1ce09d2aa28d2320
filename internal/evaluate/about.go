package evaluate

// How to read the sections, for the pages.
const (
	aboutHealthy = `Parts of each bundle's healthy window are compared with other parts of it, and the windows of recordings in which nothing was
wrong with their baselines; nobody is to be named. The windows of one recording share its data, and bundles of one system may share one
recording, so they are not independent, and the interval, which takes them to be, is too narrow: the column of recordings says how many
different ones there are, and in how many of these anything was named at all. "Acted on" counts alarms that were sure enough to act.`

	aboutAblation = `Each row leaves one signal out, the second table keeps only one, the third compares operations with the bad traces by relatives of
Ochiai's coefficient (Wong et al., A Survey on Software Fault Localization, IEEE TSE 2016). A signal may matter little here since others say the same; two that
never matter alone may matter together. Numbers in brackets are differences to the published ranking. Of
made-up incidents the first 25 are taken. False alarms are counted over one half of
each different healthy recording against the other, both ways.`

	aboutSensitivity = `The corpora and the recorded incidents, not the made-up ones; of a corpus with more
than 150,000 records every n-th case, spread evenly, since each is ranked some four hundred times. Each constant is halved and doubled while all others stay as they are (of a slope both ends); the cells say which of the figures change, by cases. The
first table sums up: the least and the most that any such change makes of a figure.`

	aboutReliability = `A confidence of 0.8 should be right in eight of ten cases. The log-odds of the posterior are what the combination gives before calibration;
localize/calibration.go has the form and the published numbers, and the last table has what a fit to just these cases would give. A
case counts as right when its first suspect is the labelled service (of an outside cause also the dependency that the suspect calls). In the table of
thresholds acting is right only when there is also something to act on: acting on an outside cause, or where nothing is wrong, is wrong whomever it
names.`

	aboutLeaveOut = `What was chosen without a corpus is tested on it. First the confidence: how well it fits uncalibrated, fitted to all other corpora, and as
published. Then the weights of the signals: a search over the other corpora halves, keeps or doubles each in turn, whatever scores best there (right
answers less wrong ones), and the cases of the corpus are ranked with what it found. If the published weights hung on a fit to these cases, such
a search would gain much on the others and lose on the one left out.`
)
