"""What people read: a page of feedback for each student, one about the class."""
