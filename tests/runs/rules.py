"""The sentences of the design that whole runs must prove: what is written (2) and the rules (3), in our own words.

`test_rule_table.py` sees that every sentence has a test, named by the marker `rule`. Nothing is tested here.
"""

from __future__ import annotations

TWICE = {
    "1.1": "A second run over unchanged worlds changes nothing: no effect in Salesforce and not one ingest job.",
    "1.2": "A plan (and a dry run) shows the same difference and sends no request that could write.",
}
OBJECTS = {
    "2.1": "Each configured portal has a portal row: its title as Name, its id, its key.",
    "2.2": "Each matched learner has a membership row in each of their portals, enrolled or not.",
    "2.3": "A membership holds its portal (master), the person, portal id, LearnUpon's user id, flag and totals.",
    "2.4": "A course enrollment of a User is a LearnUponEnrollment__c with all fields of the table.",
    "2.5": "A course enrollment of a Contact is a LearnUponContactEnrollment__c with all fields of the table.",
    "2.6": "A path enrollment of a User is a LearnUponLearningPathEnrollment__c with all fields of the table.",
    "2.7": "A Contact's path enrollment is a LearnUponLearningPathContactEnrollment__c with all fields of the table.",
    "2.8": "The profile of a Contact or User is the LearnUpon id, the last access and seven counts, and nothing else.",
    "2.9": "Keys are {portal}, {portal}:member:{user}, {portal}:enrollment:{id} and {portal}:path:{id}.",
    "2.10": "Ids of two portals may be equal: each portal's row is a row of its own.",
    "2.11": "Custom objects are upserted by LU_Key__c: a row that is there already is taken over, not doubled.",
    "2.12": "Contacts and Users are updated by record Id, and never created or deleted.",
    "2.13": "Rows point at their parents by the parents' external id.",
    "2.14": "The key must be a unique external id, or nothing is written.",
    "2.15": "Numbers keep their declared scale: ids whole, scores and percentages two decimals, times to the second.",
    "2.16": "What the org declares is obeyed: another length cuts there, a picklist takes the status.",
    "2.17": "Only a value that cannot be held is an error: it is listed, everything else is written.",
    "2.18": "The run object is optional: without it a run works.",
    "2.19": "With the run object each run leaves a record of itself.",
}
WHO = {
    "3.1": "A learner is matched by sf_contact_id or sf_user_id; 15 characters become 18.",
    "3.2": "With both ids is_salesforce_contact decides, as 0 and 1 or as a boolean.",
    "3.3": "matching.both_ids can say contact or user instead.",
    "3.4": "A merged Contact is followed to its master, however often it was merged.",
    "3.5": "A deleted or unknown record leaves the learner unmatched.",
    "3.6": "matching.email unique: without ids a learner is the one Contact, else the one User, of that e-mail.",
    "3.7": "Users are looked at only when no Contact has the e-mail.",
    "3.8": "Several people with the e-mail leave the learner unmatched; so does e-mail matching that is off.",
    "3.9": "The membership fills the lookup of the chosen side only.",
    "3.10": "Unmatched learners get no rows and are listed with the reason.",
    "3.11": "Rows of a learner who is listed but no longer matched are left as they are, and that is reported.",
}
TOTALS = {
    "3.12": "Enrolled counts all enrollments that are not unenrolled, the six others one status each.",
    "3.13": "The membership carries the portal's own totals; the profile their sum over all configured portals.",
    "3.14": "The profile's last access is the latest last_sign_in_at of the person's portals.",
    "3.15": "LU_User_ID__c is the user id in the first portal of the configuration that has the person.",
    "3.16": "The profile follows from the membership rows alone.",
    "3.17": "A learner with no enrollments gets zeros, not blanks.",
}
ENROLLMENTS = {
    "3.18": "One row for one enrollment id: a retake is a second row.",
    "3.19": "Score__c is the percentage; null stays blank and is not 0.",
    "3.20": "Status__c is the label of the status.",
    "3.21": "rules.status_labels renames statuses.",
    "3.22": "An unknown status is carried in Title Case, with a warning.",
    "3.23": "Values go back to null when LearnUpon's do.",
    "3.24": "Texts are written as they are, line ends included; the comparison ignores outer blanks.",
    "3.25": "A text longer than its field is cut to it, with a warning that counts.",
    "3.26": "The literal #N/A becomes blank, with a warning, and compares equal to blank.",
}
PATHS = {
    "3.27": "Number_Of_Courses_On_Path__c is the number of courses of the path.",
    "3.28": "Completed on path counts courses with an enrollment in rules.path_done_statuses (completed, passed).",
    "3.29": "Courses are matched on the course id and else on the source id.",
    "3.30": "A course counts once, and unenrolled enrollments do not count.",
}
GONE = {
    "3.31": "Finished means completed, passed or failed (rules.finished_statuses).",
    "3.32": "Listed as unenrolled and unfinished: no row, an existing one is deleted.",
    "3.33": "Listed as unenrolled and finished: a row with LearnUpon's values and the flag, on a first load too.",
    "3.34": "Gone altogether and unfinished in Salesforce: deleted.",
    "3.35": "Gone altogether and finished in Salesforce: kept as it is and flagged.",
    "3.36": "Gone means that LearnUpon, asked by id, answers 404 or an empty list.",
    "3.37": "Nothing counts as gone unless every page of every listing of the portal was read.",
    "3.38": "If the question by id is answered with a live row, that row joins the desired state.",
    "3.39": "At most guards.max_confirmations questions a run; rows beyond stay, unconfirmed, with a warning.",
    "3.40": "A row already flagged is not asked about again.",
    "3.41": "A flagged row that reappears loses the flag.",
    "3.42": "A learner who is gone keeps the membership, flagged, with seven counts of 0.",
    "3.43": "So does the person's profile unless another portal counts; LearnUpon id and last access stay.",
    "3.44": "A learner is gone only if /users lacks them and GET /users/{id} answers 404 or an empty list.",
    "3.45": "Rows whose key does not begin with a configured portal are never read and never touched.",
}
MOVES = {
    "3.46": "A learner who becomes a User (or a Contact) gets the row in the new object first.",
    "3.47": "The old row is deleted then, finished or not.",
    "3.48": "A learner who becomes another Contact keeps the row, which then points at that one.",
    "3.49": "The old person's counts become what the remaining memberships say.",
}
SENT = {
    "3.50": "Only rows that differ are sent, and of them only the columns that differ, plus the key.",
    "3.51": "Times to the second in UTC, numbers by value, ids of 18 characters and empty text as null compare equal.",
    "3.52": "A clear is sent as #N/A.",
}
RULES: dict[str, str] = {**TWICE, **OBJECTS, **WHO, **TOTALS, **ENROLLMENTS, **PATHS, **GONE, **MOVES, **SENT}
