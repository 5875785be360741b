"""The imputer `blend`: for each column a weighted mixture of imputers, trees and kernel regression."""
