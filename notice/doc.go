// Package notice tells people of receivers that need them: by mail to the role's notificationEmail, and as a signed callback
// to the operations URL of the environment. It implements [dispatch.Notifier], which sees to it that one receiver is not
// spoken of more than once an hour, on whichever node.
//
// Notices are a courtesy, not the record: the lines are bounded and each notice is tried a few times. One that finds no place is owed on for a day.
// What is lost stands in the log, in parley_notices_total, and, as everything that was given up, among the dead letters.
//
// Whoever has the SMTP credentials can send mail in the hub's name; whoever has an operations secret can make operators
// believe in failures that are not there. Neither is ever logged, nor is what a mail server says.
package notice
